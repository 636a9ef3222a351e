import type { ChildProcess } from 'node:child_process';
import {
  defaultTaskQueue,
  progressQuery,
  type SweepInput,
  type SweepProgress,
  type SweepResult,
} from '@nautil/contracts';
import { MlflowClient } from '@nautil/mlflow';
import type { WorkflowHandle } from '@temporalio/client';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

// A sweep with real servers, a real worker and a real (tiny) BERT, killed in the middle of its second trial.

let stack: LocalStack;
let worker: ChildProcess;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  worker = await stack.startWorker();
}, 120_000);
afterAll(() => stack?.stop());

const input: SweepInput = {
  overrides: [...tinyRun, 'model.optim.lr=1e-3,1e-4', 'trainer.max_epochs=3,6'],
  limit: 1,
  objective: 'val/f1_macro',
};
const start = (): Promise<WorkflowHandle> =>
  stack.client.workflow.start('sweep', { workflowId: 'rates', taskQueue: defaultTaskQueue, args: [input] });

test('a sweep that is killed and resumed redoes no finished trial, and its runs are nested and ranked', async () => {
  const first = await start();
  const rowsOf = async (): Promise<SweepProgress['rows']> => {
    const { rows } = await first.query<SweepProgress>(progressQuery);
    return rows.sort((a, b) => a.number - b.number);
  };
  await until(async () => (await rowsOf())[1]?.state === 'running');
  const finished = (await rowsOf())[0]!;
  expect(finished.state).toBe('done');
  await first.terminate('killed by the test');
  await end(worker, 'SIGKILL');
  const executionOf = async () => (await stack.client.workflow.getHandle(finished.workflowId).describe()).runId;
  const before = await executionOf();
  worker = await stack.startWorker();

  const result = (await (await start()).result()) as SweepResult;
  expect(await executionOf()).toBe(before);
  expect(result.rows.find(({ number }) => number === 1)).toMatchObject({
    state: 'reused',
    objective: finished.objective,
    nemo: finished.nemo,
  });
  expect(result.rows).toHaveLength(4);
  for (const { state } of result.rows) expect(['done', 'reused']).toContain(state);
  const scores = result.rows.map(({ objective }) => objective!);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(new Set(result.rows.map(({ nemo }) => nemo)).size).toBe(4);

  const mlflow = new MlflowClient({ trackingUri: stack.mlflowUri });
  const parent = await mlflow.getRun(result.mlflowRunId!);
  expect(parent?.info.status).toBe('FINISHED');
  const runs = await mlflow.searchRuns({
    experimentIds: [parent!.info.experimentId],
    filter: `tags.\`mlflow.parentRunId\` = '${result.mlflowRunId}'`,
  });
  expect(runs.map(({ info }) => info.status)).toEqual(['FINISHED', 'FINISHED', 'FINISHED', 'FINISHED']);
  expect(runs.map(({ info }) => info.runName).sort()).toEqual(result.rows.map(({ workflowId }) => workflowId).sort());
  expect((await mlflow.listArtifacts(result.mlflowRunId!)).map(({ path }) => path)).toContain('trials.csv');
}, 240_000);
