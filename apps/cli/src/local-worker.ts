import { fileURLToPath } from 'node:url';
import type { WorkerSpec } from '@nautil/stack';

/** How `nautil up` starts `nautil worker`, which takes every role on one machine. */
export function localWorker(taskQueue: string): WorkerSpec {
  const program = fileURLToPath(new URL('../bin/nautil.mjs', import.meta.url));
  return { command: process.execPath, args: [program, 'worker', '--task-queue', taskQueue], taskQueue };
}
