import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { defaultPayloadConverter, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import {
  defaultTaskQueue,
  type Progress,
  progressQuery,
  type TextClassificationResult,
  type TrainingProgress,
  trainingSignal,
} from '@nautil/contracts';
import { getRun, MlflowClient } from '@nautil/mlflow';
import { metricHistory } from '@nautil/mlflow/testing/read-server';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

// Workers with two state folders and both roles, with real servers and a real (tiny) BERT.

let stack: LocalStack;

/** The result of a run on one worker with both roles. */
let alone: TextClassificationResult;
const folders: string[] = [];
const folder = (): string => {
  const path = mkdtempSync(join(stack.home, 'home-'));
  folders.push(path);
  return path;
};
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  const worker = await stack.startWorker({ home: folder(), args: ['--task-queue', 'alone'] });
  alone = await resultOf(await start('alone', 'alone'));
  await end(worker, 'SIGTERM');
}, 240_000);
afterAll(async () => {
  await stack.stop();
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

const epochs = 12;
const start = (workflowId: string, taskQueue: string): Promise<WorkflowHandle> =>
  stack.client.workflow.start('textClassification', {
    workflowId,
    taskQueue,
    args: [{ overrides: [...tinyRun, `trainer.max_epochs=${epochs}`, 'model.nemo_path=null'] }],
  });
const resultOf = async (handle: WorkflowHandle) => (await handle.result()) as TextClassificationResult;
const stepOf = async (handle: WorkflowHandle): Promise<number> =>
  (await handle.query<Progress>(progressQuery)).training?.checkpointStep ?? 0;

/** Expects the loss of each step exactly once and every evaluation, so that nothing is lost or repeated. */
async function expectWholeInMlflow({ mlflowRunId }: TextClassificationResult): Promise<number> {
  const mlflow = new MlflowClient({ trackingUri: stack.mlflowUri });
  expect((await getRun(mlflow, mlflowRunId!))?.info.status).toBe('FINISHED');
  const steps = (await metricHistory(mlflow, mlflowRunId!, 'train/loss')).map(({ step }) => step);
  expect(new Set(steps).size).toBe(steps.length);
  const evaluations = await metricHistory(mlflow, mlflowRunId!, 'val/f1_macro');
  expect(evaluations).toHaveLength(epochs);
  return steps.length;
}

/** The step in each progress signal that the workflow received. */
async function signalledSteps(handle: WorkflowHandle): Promise<number[]> {
  const { events } = await handle.fetchHistory();
  return events!.flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
    signal?.signalName === trainingSignal
      ? [defaultPayloadConverter.fromPayload<TrainingProgress>(signal.input!.payloads![0]!).step]
      : [],
  );
}

test('a worker with both roles completes a run without an artifact store', async () => {
  await expectWholeInMlflow(alone);
});

test('workers with another state folder train the runs, one of them is killed, and the archives have the same bytes', async () => {
  const env = { NAUTIL_ARTIFACTS: folder() };
  const [preparing, training, third] = [folder(), folder(), folder()];
  await stack.startWorker({ env, home: preparing, args: ['--role', 'cpu'] });
  const killed = await stack.startWorker({ env, home: training, args: ['--role', 'gpu'] });
  const handles = await Promise.all([1, 2, 3].map((number) => start(`passed-${number}`, defaultTaskQueue)));
  const trained = async (): Promise<number[]> => Promise.all(handles.map(stepOf));
  await until(async () => (await trained()).some((step) => step >= 20));
  const first = handles[(await trained()).findIndex((step) => step >= 20)]!;
  await end(killed, 'SIGKILL');
  await stack.startWorker({ env, home: third, args: ['--role', 'gpu'] });

  const results = await Promise.all(handles.map(resultOf));
  for (const { nemo, reportFile, evaluations } of results) {
    expect(nemo.sha256).toBe(alone.nemo.sha256);
    // The results are in the state folder in which the run began.
    for (const file of [nemo, reportFile!, evaluations!]) {
      expect(file.path.startsWith(preparing)).toBe(true);
      expect((await stat(file.path)).size).toBe(file.sizeBytes);
    }
    expect(await readFile(evaluations!.path, 'utf8')).toContain('"split":"val"');
  }
  const rows = await Promise.all(results.map(expectWholeInMlflow));
  expect(new Set(rows).size).toBe(1);
  // Training resumed from the checkpoint that the killed worker had uploaded; a restart would count the steps from one again.
  const steps = await signalledSteps(first);
  const back = Math.max(...steps.map((step, index) => Math.max(...steps.slice(0, index + 1)) - step));
  expect(steps.length).toBeGreaterThan(2);
  expect(back).toBeLessThan(20);
  expect(await readdir(join(third, 'runs'))).toHaveLength(handles.length);
  console.log(
    `workers: gpu worker killed in ${first.workflowId} after step 20, which fell back ${back} steps; ${results.length} runs, all ${alone.nemo.sha256.slice(0, 12)}`,
  );
}, 240_000);

test('files can also be transferred through MLflow’s artifact store', async () => {
  const env = { NAUTIL_ARTIFACTS: `${stack.mlflowUri}/api/2.0/mlflow-artifacts/artifacts/nautil` };
  const workers = [
    await stack.startWorker({ env, home: folder(), args: ['--role', 'cpu', '--task-queue', 'http'] }),
    await stack.startWorker({ env, home: folder(), args: ['--role', 'gpu', '--task-queue', 'http'] }),
  ];
  const result = await resultOf(await start('http', 'http'));
  expect(result.nemo.sha256).toBe(alone.nemo.sha256);
  await expectWholeInMlflow(result);
  for (const worker of workers) await end(worker, 'SIGTERM');
}, 180_000);

test('a run whose workers share neither files nor an artifact store fails, and the hint names the setting', async () => {
  await stack.startWorker({ home: folder(), args: ['--role', 'cpu', '--task-queue', 'apart'] });
  await stack.startWorker({ home: folder(), args: ['--role', 'gpu', '--task-queue', 'apart'] });
  const failure = await (await start('apart', 'apart')).result().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkflowFailedError);
  const { type, details } = (failure as WorkflowFailedError).cause as unknown as { type: string; details: unknown[] };
  expect(type).toBe('FilesNotShared');
  expect(JSON.stringify(details)).toContain('NAUTIL_ARTIFACTS');
}, 120_000);
