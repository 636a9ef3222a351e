import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { nautilHome } from '@nautil/store/folders';
import { type RunnableWorker, runTogether, WorkerErrors, WorkerFailed } from './run-together.js';

/** A worker that fails after a moment, as one whose namespace is deleted. */
function failingWorker(message: string): RunnableWorker {
  let state: ReturnType<Worker['getState']> = 'INITIALIZED';
  return {
    options: { taskQueue: 'nautil-gpu' },
    getState: () => state,
    shutdown: () => undefined,
    run: async () => {
      state = 'RUNNING';
      await sleep(300);
      state = 'FAILED';
      throw new Error(message);
    },
  };
}

test('when one of several workers fails, real ones stop polling, and its queue and cause are reported', async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR'), workerHeartbeatInterval: null });
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: join(nautilHome(), 'python', 'bin', 'temporal') } },
  });
  const errors = new WorkerErrors();
  const meta = { taskQueue: 'nautil-gpu', error: new Error('Namespace default is not found') };
  errors.record({ message: 'Worker failed', meta });
  try {
    const connection = await NativeConnection.connect({ address: environment.address });
    const activities = { noop: async () => undefined };
    const workers = await Promise.all(
      ['nautil', 'nautil@home'].map((taskQueue) => Worker.create({ connection, taskQueue, activities })),
    );
    const running = runTogether([workers[0]!, failingWorker('Worker still in use'), workers[1]!], errors);
    await expect(running).rejects.toThrow(WorkerFailed);
    await expect(running).rejects.toThrow('the worker on task queue nautil-gpu failed: Namespace default is not found');
    expect(workers.map((worker) => worker.getState())).toEqual(['STOPPED', 'STOPPED']);
    await connection.close(); // refused while a worker uses it
  } finally {
    await environment.teardown();
  }
}, 60_000);
