import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { progressQuery, type SweepProgress, type SweepResult } from '@nautil/contracts';
import { getRun, MlflowClient, searchRuns } from '@nautil/mlflow';
import { artifactPaths } from '@nautil/mlflow/testing/read-server';
import { nautil, printLine } from './testing/drill.js';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

// A sweep with real servers, a real worker and a real (tiny) BERT, killed in the middle of its second trial.

let stack: LocalStack;
let worker: ChildProcess;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  worker = await stack.startWorker();
}, 120_000);
afterAll(() => stack.stop());

/** Each training takes some seconds, so that both workers train. */
const typed = ['-m', 'model.optim.lr=1e-3,3e-4,1e-4', 'trainer.max_epochs=10,15', '--objective=val/loss'];

test('a killed and resumed sweep repeats no finished trial, and its runs are nested and ranked', async () => {
  const { exitCode, stderr } = await nautil(stack, ['sweep', ...typed, ...tinyRun, '--workflow-id=rates', '--detach']);
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining('sweep rates')]);
  const first = stack.client.workflow.getHandle('rates');
  const rowsOf = async (): Promise<SweepProgress['rows']> => {
    const { rows } = await first.query<SweepProgress>(progressQuery);
    return rows.sort((a, b) => a.number - b.number);
  };
  const finishedIn = (rows: SweepProgress['rows']) => rows.find(({ state }) => state === 'done');
  await until(async () => finishedIn(await rowsOf()) !== undefined);
  const finished = finishedIn(await rowsOf())!;
  await first.terminate('killed by the test');
  await end(worker, 'SIGKILL');
  const executionOf = async () => (await stack.client.workflow.getHandle(finished.workflowId).describe()).runId;
  const before = await executionOf();
  const workers = [await stack.startWorker(), await stack.startWorker()];

  const resumed = await nautil(stack, ['resume', 'rates', '--json']);
  expect(resumed.exitCode).toBe(0);
  const result = JSON.parse(resumed.stdout) as SweepResult;
  expect(await executionOf()).toBe(before);
  expect(result.rows.find(({ number }) => number === finished.number)).toMatchObject({
    state: 'reused',
    objective: finished.objective,
    nemo: finished.nemo,
  });
  expect(result.rows).toHaveLength(6);
  for (const { state } of result.rows) expect(['done', 'reused']).toContain(state);
  const trainers = await trainersOf(result.rows.filter(({ number }) => number !== finished.number));
  expect(workers.filter(({ pid }) => trainers.has(pid!))).toHaveLength(2);
  const scores = result.rows.map(({ objective }) => objective!);
  expect(new Set(scores).size).toBe(6);
  expect(scores).toEqual([...scores].sort((a, b) => a - b));
  expect(new Set(result.rows.map(({ nemo }) => nemo)).size).toBe(6);

  const mlflow = new MlflowClient({ trackingUri: stack.mlflowUri });
  const parent = await getRun(mlflow, result.mlflowRunId!);
  expect(parent?.info.status).toBe('FINISHED');
  const runs = await searchRuns(mlflow, {
    experimentIds: [parent!.info.experimentId],
    filter: `tags.\`mlflow.parentRunId\` = '${result.mlflowRunId}'`,
  });
  expect(runs.map(({ info }) => info.status)).toEqual(Array(6).fill('FINISHED'));
  expect(runs.map(({ info }) => info.runName).sort()).toEqual(result.rows.map(({ workflowId }) => workflowId).sort());
  expect(await artifactPaths(mlflow, result.mlflowRunId!)).toContain('trials.csv');
  const table = result.rows.map(({ number, state, objective }) => `${number} ${state} ${objective!.toFixed(3)}`);
  printLine(`sweep killed after trial ${finished.number} of 6, resumed by 2 workers: ${table.join(', ')}`);
}, 480_000);

/** The process ids of the workers that trained the trials. */
async function trainersOf(trials: SweepResult['rows']): Promise<Set<number>> {
  const pids = new Set<number>();
  for (const { workflowId } of trials) {
    const { events } = await stack.client.workflow.getHandle(workflowId).fetchHistory();
    const scheduled = events!.filter(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'train',
    );
    const ids = new Set(scheduled.map(({ eventId }) => Number(eventId)));
    for (const { activityTaskStartedEventAttributes: started } of events!) {
      if (started && ids.has(Number(started.scheduledEventId))) pids.add(Number.parseInt(started.identity!, 10));
    }
  }
  return pids;
}
