import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultTaskQueue, type Progress, progressQuery } from '@nautil/contracts';
import { packageRoot } from '@nautil/store/folders';
import { nautil } from './testing/drill.js';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

const deployment = 'nautil';
let stack: LocalStack;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: false });
}, 240_000);
afterAll(() => stack.stop());

const variablesOf = (buildId: string, name = deployment) => ({
  TEMPORAL_DEPLOYMENT_NAME: name,
  TEMPORAL_WORKER_BUILD_ID: buildId,
});

/** Makes new runs start on a version, once its worker has polled. */
const makeCurrent = (buildId: string, name = deployment): Promise<void> =>
  until(() => {
    const words = ['worker', 'deployment', 'set-current-version', '--yes'];
    const version = ['--deployment-name', name, '--build-id', buildId];
    const program = join(packageRoot(), '.nautil', 'python', 'bin', 'temporal');
    return promisify(execFile)(program, [...words, ...version, '--address', stack.temporalAddress]).then(
      () => true,
      () => false,
    );
  });

const start = (workflowId: string, steps: number, taskQueue = defaultTaskQueue): Promise<WorkflowHandle> =>
  stack.client.workflow.start('textClassification', {
    workflowId,
    taskQueue,
    args: [{ overrides: [...tinyRun, `trainer.max_steps=${steps}`, 'trainer.max_epochs=1000'] }],
  });

async function buildOf(handle: WorkflowHandle): Promise<string | null | undefined> {
  const { raw } = await handle.describe();
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
}

test('a deployment of new code changes no run in progress, and new runs start on it', async () => {
  await stack.startWorker({ env: variablesOf('one') });
  await makeCurrent('one');
  const older = await start('older', 400);
  await until(async () => (await older.query<Progress>(progressQuery)).training !== undefined);
  await stack.startWorker({ env: variablesOf('two') });
  await makeCurrent('two');
  const newer = await start('newer', 2);
  await Promise.all([older.result(), newer.result()]);
  expect({ older: await buildOf(older), newer: await buildOf(newer) }).toEqual({ older: 'one', newer: 'two' });
}, 240_000);

test('a run waits for a training worker of its version, as in a cluster that starts them on demand', async () => {
  const [env, taskQueue] = [variablesOf('one', 'cluster'), ['--task-queue', 'cluster']];
  const gpu = { args: ['--role', 'gpu', ...taskQueue], env };
  const first = await stack.startWorker(gpu); // it makes its queue known to the version
  await stack.startWorker({ args: ['--role', 'cpu', ...taskQueue], env });
  await makeCurrent('one', 'cluster');
  await end(first, 'SIGTERM');
  const handle = await start('on-demand', 2, 'cluster');
  await until(async () => {
    const { events } = await handle.fetchHistory();
    return (events ?? []).some((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'train');
  });
  await stack.startWorker(gpu);
  await handle.result();
  expect(await buildOf(handle)).toBe('one');
}, 240_000);

test('a worker with half of a version is refused', async () => {
  const { exitCode, stderr } = await nautil(stack, ['worker'], { TEMPORAL_WORKER_BUILD_ID: 'one' });
  expect(stderr).toContain('only one of TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID is set');
  expect(stderr).not.toMatch(/^ +at /m);
  expect(exitCode).toBe(2);
}, 30_000);
