import { defaultTaskQueue, nautilCommand } from '@nautil/contracts';

/** The command that starts a worker on a task queue. */
export const startWorkerCommand = (taskQueue: string): string =>
  taskQueue === defaultTaskQueue ? nautilCommand('up') : nautilCommand('worker', '--task-queue', taskQueue);
