import { defaultTaskQueue } from '@nautil/contracts';
import type { WorkerSpec } from '@nautil/stack';

/** The worker of this checkout, which takes every role on one machine. */
export function localWorker(taskQueue: string = defaultTaskQueue): WorkerSpec {
  return {
    command: process.execPath,
    args: ['--import', import.meta.resolve('tsx'), 'apps/cli/src/worker/main.ts', '--task-queue', taskQueue],
    taskQueue,
  };
}
