import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { SweepOutcome, SweepProgress, SweepResult } from '@nautil/contracts';
import { stubSweep } from '../test/stub-sweep.js';
import { TestStack } from '../test/test-stack.js';
import { failureOfRun, until } from '../test/until.js';
import { sweepProgress } from './messages.js';

// Enough events for a few trials, so that larger sweeps continue as new.
const longHistory = 80;

let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.start(Object.keys(stubSweep({ rates: [] }).activities), { longHistory });
});
afterAll(() => stack.stop());

const overrides = ['model.optim.lr=1,2,3', 'trainer.max_epochs=1'];
const start = (activities: object, input: object = {}, workflowId: string = randomUUID()): Promise<WorkflowHandle> =>
  stack.startWorkflow({ type: 'sweep', input: { overrides, ...input }, activities, workflowId });
const progressOf = (handle: WorkflowHandle): Promise<SweepProgress> => handle.query(sweepProgress);
const statesOf = async (handle: WorkflowHandle): Promise<string[]> =>
  (await progressOf(handle)).rows.sort((a, b) => a.number - b.number).map(({ state }) => state);
const outcomeOf = (calls: [string, unknown][]): SweepOutcome =>
  calls.find(([name]) => name === 'finishSweepTracking')![1] as SweepOutcome;

test('each combination is a child workflow with its overrides, and the table is sorted by the objective', async () => {
  const { activities, calls, trained } = stubSweep({ rates: [1, 2, 3], score: (rate) => [0, 0.7, 0.9, 0.8][rate]! });
  const handle = await start(activities, { config: 'sst2', configPath: '/own/conf', cwd: '/own' });
  const result = (await handle.result()) as SweepResult;
  await stack.recordHistory('sweep-completed', handle);
  expect(trained.sort()).toEqual([1, 2, 3]);
  expect(result.rows.map(({ number, state, objective }) => [number, state, objective])).toEqual([
    [2, 'done', 0.9],
    [3, 'done', 0.8],
    [1, 'done', 0.7],
  ]);
  expect(result).toMatchObject({
    best: { number: 2, overrides: ['model.optim.lr=2'], accuracy: 0.86, nemo: '/files/model.nemo' },
    mlflowUrl: 'http://mlflow/parent',
  });
  for (const [name, request] of calls) {
    if (name !== 'resolveRun') continue;
    expect(request).toMatchObject({
      config: 'sst2',
      configPath: '/own/conf',
      cwd: '/own',
      parentMlflowRunId: 'parent',
      runKey: 'trial',
      overrides: ['trainer.max_epochs=1', expect.stringMatching(/^model\.optim\.lr=/)],
    });
  }
  expect(outcomeOf(calls)).toMatchObject({ status: 'FINISHED', rows: [{ number: 2 }, { number: 3 }, { number: 1 }] });
  expect((await progressOf(handle)).result?.best?.number).toBe(2);
});

test.each([
  ['smallest loss', 'val/loss', [3, 1, 2]],
  ['largest test score, without the trials that have none', 'test/accuracy', [1, 2, 3]],
] as const)('the %s comes first', async (_case, objective, order) => {
  const losses = [0, 0.2, 0.3, 0.1];
  const stub = stubSweep({ rates: [1, 2, 3] });
  const { evaluate } = stub.activities;
  stub.activities.evaluate = async (request) => {
    const evaluated = await evaluate(request);
    const loss = losses[Number(request.run.workflowId.at(-1)) + 1]!;
    return { ...evaluated, scores: { ...evaluated.scores!, loss } };
  };
  const result = (await (await start(stub.activities, { objective })).result()) as SweepResult;
  expect(result.rows.map(({ number }) => number)).toEqual(order);
  expect(result.best?.number).toBe(objective === 'val/loss' ? 3 : undefined);
});

test.each([1, 2])('at most %d trials run at a time', async (limit) => {
  const { activities, most } = stubSweep({ rates: [1, 2, 3, 4, 5], during: () => sleep(150) });
  await (await start(activities, { limit })).result();
  expect(most()).toBe(limit);
});

test('the progress query shows which trials are running, waiting and done', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const { activities, trained } = stubSweep({ rates: [1, 2, 3], during: (rate) => (rate === 2 ? held : sleep(0)) });
  const handle = await start(activities, { limit: 1 });
  await until(() => trained.includes(1));
  await until(async () => (await statesOf(handle))[1] === 'running');
  expect(await progressOf(handle)).toMatchObject({
    objective: 'val/f1_macro',
    limit: 1,
    fixed: ['trainer.max_epochs=1'],
    mlflowUrl: 'http://mlflow/parent',
    input: { overrides },
    rows: [
      { number: 1, state: 'done', objective: 0.5 },
      { number: 2, state: 'running' },
      { number: 3, state: 'waiting' },
    ],
  });
  release();
  await handle.result();
});

test('a failed trial is the last row of the table, with the reason, and does not end the sweep', async () => {
  const { activities, calls } = stubSweep({
    rates: [1, 2, 3],
    during: async (rate) => {
      if (rate === 1) throw ApplicationFailure.nonRetryable('step 7: the loss is NaN', 'LossNotFinite');
    },
  });
  const handle = await start(activities);
  const { rows, best } = (await handle.result()) as SweepResult;
  await stack.recordHistory('sweep-with-a-failure', handle);
  expect(rows.map(({ number, state }) => [number, state])).toEqual([
    [2, 'done'],
    [3, 'done'],
    [1, 'failed'],
  ]);
  expect(rows[2]!.failure).toEqual({ type: 'LossNotFinite', message: 'train: step 7: the loss is NaN' });
  expect(best?.number).toBe(2);
  expect(outcomeOf(calls).status).toBe('FINISHED');
});

test('a sweep whose trials all fail has failed, and still has its table', async () => {
  const { activities, calls } = stubSweep({
    rates: [1, 2],
    during: async () => {
      throw ApplicationFailure.nonRetryable('no valid line', 'DataError');
    },
  });
  const handle = await start(activities);
  expect(await failureOfRun(handle)).toMatchObject({
    type: 'SweepFailed',
    message: 'none of 2 trials was completed; trial 1: train: no valid line',
  });
  expect(outcomeOf(calls)).toMatchObject({ status: 'FAILED', message: expect.stringContaining('none of 2') });
  expect(await statesOf(handle)).toEqual(['failed', 'failed']);
});

test('a trial that is cancelled on its own is shown as cancelled', async () => {
  const { activities } = stubSweep({
    rates: [1, 2],
    during: (rate) => (rate === 1 ? Context.current().cancelled : sleep(0)),
  });
  const handle = await start(activities);
  await until(async () => (await statesOf(handle))[1] === 'done');
  await stack.client.workflow.getHandle(`${handle.workflowId}-0`).cancel();
  expect(((await handle.result()) as SweepResult).rows.map(({ state }) => state)).toEqual(['done', 'cancelled']);
});

test('cancelling a sweep cancels its trials first, and leaves its MLflow run KILLED', async () => {
  let begun = false;
  let ended = false;
  const { activities, calls } = stubSweep({
    rates: [1, 2, 3],
    during: async (rate) => {
      if (rate !== 2) return;
      begun = true;
      await Context.current().cancelled.catch(() => undefined);
      await sleep(300); // the checkpoint
      ended = true;
      await Context.current().cancelled;
    },
  });
  const handle = await start(activities, { limit: 1 });
  await until(() => begun);
  await handle.cancel();
  expect(await failureOfRun(handle)).toBeInstanceOf(CancelledFailure);
  await stack.recordHistory('sweep-cancelled', handle);
  expect(ended).toBe(true);
  expect(await statesOf(handle)).toEqual(['done', 'cancelled', 'waiting']);
  expect(outcomeOf(calls).status).toBe('KILLED');
  const trial = await stack.client.workflow.getHandle(`${handle.workflowId}-1`).describe();
  expect(trial.status.name).toBe('CANCELLED');
});

test.each(['cancelled', 'terminated'])(
  'a sweep that was %s and is restarted repeats no finished trial',
  async (how) => {
    let hold = true;
    let held = false;
    const { activities, trained, calls } = stubSweep({
      rates: [1, 2, 3],
      score: (rate) => rate / 10,
      during: (rate) => {
        if (rate !== 2 || !hold) return sleep(0);
        held = true;
        return Context.current().cancelled;
      },
    });
    const first = await start(activities, { limit: 1 });
    await until(() => held);
    if (how === 'cancelled') await first.cancel();
    else await first.terminate('power cut');
    await failureOfRun(first);
    hold = false;

    const second = await start(activities, { limit: 1 }, first.workflowId);
    const { rows } = (await second.result()) as SweepResult;
    if (how === 'terminated') await stack.recordHistory('sweep-resumed', second);
    expect(rows.map(({ number, state }) => [number, state])).toEqual([
      [3, 'done'],
      [2, 'done'],
      [1, 'reused'],
    ]);
    expect(rows[2]).toMatchObject({ objective: 0.1, nemo: '/files/model.nemo' });
    expect(trained).toEqual([1, 2, 3]);
    const keys = calls.filter(([name]) => name === 'resolveRun').map(([, request]) => request);
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(key).toMatchObject({ runKey: 'trial' });
  },
);

test('a sweep with a long history continues in new executions, and each trial runs once', async () => {
  const rates = Array.from({ length: 24 }, (_, index) => index);
  const { activities, trained, calls, most } = stubSweep({ rates, score: (rate) => rate / 100 });
  const handle = await start(activities, { limit: 4 });
  const { rows } = (await handle.result()) as SweepResult;
  expect(rows.map(({ objective }) => objective)).toEqual(rates.map((rate) => rate / 100).reverse());
  expect(rows.filter(({ state }) => state !== 'done')).toEqual([]);
  expect(trained.sort((a, b) => a - b)).toEqual(rates);
  expect(most()).toBeLessThanOrEqual(4);
  for (const name of ['planSweep', 'startSweepTracking', 'finishSweepTracking'])
    expect(calls.filter(([called]) => called === name)).toHaveLength(1);
  await stack.recordHistory('sweep-continued', handle);
  // The server's list of executions is updated a moment later.
  let lengths: number[] = [];
  await until(async () => {
    lengths = [];
    for await (const { historyLength, status } of stack.client.workflow.list({
      query: `WorkflowId = '${handle.workflowId}'`,
    }))
      if (status.name !== 'RUNNING') lengths.push(historyLength);
    return lengths.length > 1;
  });
  expect(Math.max(...lengths)).toBeLessThan(2 * longHistory);
});

test.each([
  ['no overrides', {}, 'the input has no overrides'],
  ['an unknown objective', { overrides, objective: 'f1' }, 'objective is "f1", not one of val/f1_macro'],
  ['no trials at a time', { overrides, limit: 0 }, 'limit is 0, not 1 or more'],
  ['a broken seed', { overrides, seed: 1.5 }, 'seed is 1.5, not a whole number'],
  ['a misspelled key', { overrides, objectve: 'x' }, 'unknown key objectve; the keys are config, overrides, random'],
])('%s fails the sweep at once, with the reason', async (_case, input, message) => {
  const { activities, calls } = stubSweep({ rates: [1] });
  const handle = await stack.startWorkflow({ type: 'sweep', input, activities });
  const failure = (await failureOfRun(handle)) as ApplicationFailure;
  expect(failure).toMatchObject({ type: 'InputError', message: expect.stringContaining(message) });
  expect(calls).toEqual([]);
});

test('a sweep that cannot be planned fails with the type of the error', async () => {
  const { activities } = stubSweep({ rates: [1] });
  activities.planSweep = async () => {
    throw ApplicationFailure.nonRetryable('model.optim.l is not a known key', 'ConfigError', { kind: 'config' });
  };
  const handle = await start(activities);
  expect(await failureOfRun(handle)).toMatchObject({ type: 'ConfigError', details: [{ kind: 'config' }] });
  expect((await progressOf(handle)).failure).toEqual({
    type: 'ConfigError',
    message: 'model.optim.l is not a known key',
  });
});
