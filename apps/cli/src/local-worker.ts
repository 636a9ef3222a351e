import { delimiter } from 'node:path';
import type { WorkerSpec } from '@nautil/stack';
import { environmentVariable } from '@nautil/store';
import { defaultFolder, nautilHome } from '@nautil/store/folders';
import { nautilProgram } from './nautil-program.js';
import { workingFolder } from './working-folder.js';

/** Restarts in a row of a worker that `nautil up` has started: within about a minute. */
const restarts = 5;

/**
 * How `nautil up` starts `nautil worker`, which takes every role on one machine. It lets runs write in the folder in which `up`
 * was typed, in the one where relative paths start if a run names none, and in the state folder, unless NAUTIL_OUTPUTS names others.
 * Like `up`, it reads the `.env` of the folder in which `up` was typed, and no other.
 */
export function localWorker(taskQueue: string): WorkerSpec {
  const outputs =
    environmentVariable('NAUTIL_OUTPUTS') ?? [workingFolder(), defaultFolder(), nautilHome()].join(delimiter);
  return {
    command: process.execPath,
    args: [nautilProgram, 'worker', '--task-queue', taskQueue, '--restarts', String(restarts)],
    env: { NAUTIL_OUTPUTS: outputs, INIT_CWD: workingFolder() },
    taskQueue,
  };
}
