import type { LogEntry, Worker } from '@temporalio/worker';

/** A worker of this process failed, and with it the process. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed';
}

/** What `runTogether` needs of a worker. */
export type RunnableWorker = Pick<Worker, 'run' | 'shutdown' | 'getState'> & {
  options: { taskQueue?: string | undefined };
};

/**
 * The errors that ended workers, by task queue, from the SDK's log. NOTE: `Worker.run` often rejects with "Worker still in use" in place
 * of the error: its clean-up fails, too, while requests are on their way.
 */
export class WorkerErrors {
  readonly #errors = new Map<unknown, unknown>();

  /** Records an entry of the SDK's log, if it has the error of a worker. */
  record({ message, meta }: Pick<LogEntry, 'message' | 'meta'>): void {
    if (message === 'Worker failed' && meta) this.#errors.set(meta['taskQueue'], meta['error']);
  }

  /** The error of a worker; undefined if its log has none. */
  of(taskQueue: string | undefined): unknown {
    return this.#errors.get(taskQueue);
  }
}

/**
 * Runs workers until all of them have ended. When one fails, the others are shut down: without one of its queues, the process would
 * only look healthy.
 *
 * @throws WorkerFailed with the queue and the cause of the first failure
 */
export async function runTogether(workers: readonly RunnableWorker[], errors: WorkerErrors): Promise<void> {
  let failure: WorkerFailed | undefined;
  const run = async (worker: RunnableWorker): Promise<void> => {
    try {
      await worker.run();
    } catch (thrown) {
      const { taskQueue } = worker.options;
      const cause = errors.of(taskQueue) ?? thrown;
      const message = cause instanceof Error ? cause.message : String(cause);
      failure ??= new WorkerFailed(`the worker on task queue ${taskQueue} failed: ${message}`, { cause });
    }
    for (const other of workers) if (other.getState() === 'RUNNING') other.shutdown();
  };
  await Promise.all(workers.map(run));
  if (failure) throw failure;
}
