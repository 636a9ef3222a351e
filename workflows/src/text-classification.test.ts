import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import { type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, type UpdateDefinition } from '@temporalio/common';
import {
  type ControlAnswer,
  type Progress,
  type ResolvedRun,
  stageNames,
  type TextClassificationResult,
  type Tracking,
  type TrainRequest,
} from '@nautil/contracts';
import { stubActivities } from '../test/stub-activities.js';
import { bundleWorkflows, TestStack } from '../test/test-stack.js';
import { failureOfRun, until } from '../test/until.js';
import { pause, resume, runProgress, stopEarly, trainingProgress } from './messages.js';

let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.start(Object.keys(stubActivities().activities));
});
afterAll(() => stack.stop());

const progressOf = (handle: WorkflowHandle): Promise<Progress> => handle.query(runProgress);

/** A training whose first attempt runs until it is interrupted; the second attempt completes. */
function longTraining() {
  const requests: TrainRequest[] = [];
  const train = async (request: TrainRequest) => {
    requests.push(request);
    if (requests.length > 1) return trained;
    const context = Context.current();
    const heartbeat = setInterval(() => context.heartbeat({ step: requests.length }), 50);
    try {
      return await context.cancelled;
    } finally {
      clearInterval(heartbeat);
    }
  };
  return { train, requests };
}

const trained = {
  reused: false,
  detail: '217 steps',
  lastWeights: { path: '/last', sha256: '0'.repeat(64), sizeBytes: 1 },
  step: 217,
  epoch: 0,
  reason: 'completed' as const,
  events: { path: '/events', sha256: '0'.repeat(64), sizeBytes: 1 },
};

test('the stages run in order, each with the outputs of the earlier ones', async () => {
  const { activities, calls } = stubActivities();
  const handle = await stack.startWorkflow({ input: { overrides: ['trainer.max_epochs=1'] }, activities });
  const result = (await handle.result()) as TextClassificationResult;
  await stack.recordHistory('completed', handle);
  expect(calls.map(([name]) => name)).toEqual(['resolveRun', 'startTracking', ...stageNames, 'finishTracking']);
  expect(calls.find(([name]) => name === 'train')![1]).toMatchObject({
    inputs: { encoderDigest: 'e' },
    tokens: { tokenizerDigest: 't' },
    stopEarly: false,
  });
  expect(calls.at(-1)![1]).toMatchObject({ status: 'FINISHED', packaged: { nemo: { path: '/files/model.nemo' } } });
  expect(result).toMatchObject({
    nemo: { path: '/files/model.nemo' },
    scores: { f1Macro: 0.855 },
    weights: 'last',
    mlflowRunId: 'm1',
    mlflowUrl: 'http://mlflow/m1',
  });
});

test('the progress query shows the states of the stages and the notes, during the run and after it', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const { activities } = stubActivities({
    train: async () => {
      await released;
      return trained;
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'running');
  await handle.signal(trainingProgress, {
    step: 10,
    totalSteps: 217,
    epoch: 0,
    loss: 0.6,
    examplesPerSecond: 100,
    secondsLeft: 9,
  });
  await until(async () => (await progressOf(handle)).training?.step === 10);
  expect(await progressOf(handle)).toMatchObject({
    stages: [
      { stage: 'download', state: 'done', detail: 'made' },
      { stage: 'convert', state: 'done' },
      { stage: 'cache', state: 'done' },
      { stage: 'tokenize', state: 'reused' },
      { stage: 'train', state: 'running' },
      { stage: 'evaluate', state: 'waiting' },
      { stage: 'package', state: 'waiting' },
    ],
    training: { totalSteps: 217, loss: 0.6 },
    notes: ['model.dataset.num_classes: 2, counted from the training labels'],
    mlflowUrl: 'http://mlflow/m1',
    paused: false,
  });
  release();
  await handle.result();
  expect((await progressOf(handle)).result?.nemo.path).toBe('/files/model.nemo');
});

test('search attributes hold experiment, model, data set and macro F1', async () => {
  const handle = await stack.startWorkflow({ activities: stubActivities().activities });
  await handle.result();
  const attributesOf = async (): Promise<Record<string, unknown>> => {
    const { typedSearchAttributes } = await handle.describe();
    return Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
  };
  await until(async () => 'NautilF1' in (await attributesOf()));
  expect(await attributesOf()).toMatchObject({
    NautilExperiment: 'TextClassification',
    NautilModel: 'all-MiniLM-L6-v2',
    NautilDataset: 'sst-2',
    NautilF1: 0.855,
  });
});

test.each([
  ['a string instead of an object', 'trainer.max_epochs=1', 'the input is "trainer.max_epochs=1", not an object'],
  ['a misspelled key', { overides: [] }, 'the input has an unknown key overides; the keys are config, overrides'],
  ['overrides that are not a list', { overrides: 'a=1' }, 'overrides is "a=1", not a list of texts'],
  ['an override that is not a string', { overrides: ['a=1', 2] }, 'overrides[1] is 2, not a text'],
  ['a stage that does not exist', { from: 'training', runKey: 'r' }, 'from is "training", not one of download'],
])('%s fails the run at once, with the reason', async (_case, input, message) => {
  const { activities, calls } = stubActivities();
  const handle = await stack.startWorkflow({ input, activities });
  const failure = (await failureOfRun(handle)) as ApplicationFailure;
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure.message).toContain(message);
  expect(failure.type).toBe('InputError');
  expect(calls).toEqual([]);
});

test('a non-retryable error fails the run with its own type, and closes the MLflow run with its message', async () => {
  const { activities, calls } = stubActivities({
    convert: async () => {
      throw ApplicationFailure.nonRetryable('train.tsv: no valid line', 'DataError', {
        kind: 'data',
        hint: 'nautil inspect train.tsv',
      });
    },
  });
  const handle = await stack.startWorkflow({ activities });
  const failure = (await failureOfRun(handle)) as ApplicationFailure;
  expect(failure.message).toBe('convert: train.tsv: no valid line');
  expect(failure.type).toBe('DataError');
  expect(failure.details).toEqual([{ kind: 'data', hint: 'nautil inspect train.tsv' }]);
  expect(await progressOf(handle)).toMatchObject({
    failure: { type: 'DataError', message: 'convert: train.tsv: no valid line' },
    stages: expect.arrayContaining([
      { stage: 'convert', state: 'failed', detail: 'convert: train.tsv: no valid line' },
    ]),
  });
  await stack.recordHistory('data-error', handle);
  expect(calls.filter(([name]) => name === 'convert')).toHaveLength(1);
  expect(calls.at(-1)).toMatchObject([
    'finishTracking',
    { status: 'FAILED', message: 'convert: train.tsv: no valid line' },
  ]);
});

test('a retryable failure is retried', async () => {
  let attempts = 0;
  const { activities } = stubActivities({
    download: async () => {
      if (++attempts < 3)
        throw ApplicationFailure.create({ message: 'connection reset', type: 'DownloadFailed', nextRetryDelay: 10 });
      return { reused: false, detail: '', data: {}, encoder: { name: 'x' } };
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  await stack.recordHistory('retried', handle);
  expect(attempts).toBe(3);
});

test('a programming error in an activity is not retried', async () => {
  let attempts = 0;
  const { activities } = stubActivities({
    cache: async () => {
      attempts++;
      throw new TypeError('x is not a function');
    },
  });
  const handle = await stack.startWorkflow({ activities });
  expect(await failureOfRun(handle)).toMatchObject({ type: 'TypeError', message: 'cache: x is not a function' });
  expect(attempts).toBe(1);
});

test('a run whose configuration cannot be resolved fails without an MLflow run', async () => {
  const { activities, calls } = stubActivities({
    resolveRun: async () => {
      throw ApplicationFailure.nonRetryable('model.train_ds.batch_sise is not a known key', 'ConfigError');
    },
  });
  const handle = await stack.startWorkflow({ activities });
  expect(await failureOfRun(handle)).toMatchObject({
    type: 'ConfigError',
    message: 'model.train_ds.batch_sise is not a known key',
  });
  expect(calls.map(([name]) => name)).toEqual(['resolveRun']);
});

test('an end that MLflow did not get does not fail a finished run, and is in its result with the way to repeat it', async () => {
  const { activities } = stubActivities({
    finishTracking: async () => {
      throw ApplicationFailure.nonRetryable('no answer', 'MlflowDown');
    },
  });
  const handle = await stack.startWorkflow({ activities });
  expect(await handle.result()).toMatchObject({
    nemo: { path: '/files/model.nemo' },
    mlflowRunId: 'm1',
    trackingWarnings: [
      `the end of the run was not recorded for MLflow: no answer; \`npx nautil resume ${handle.workflowId}\` tries again`,
    ],
  });
});

test('what MLflow lacks of a finished run is in its result', async () => {
  const warnings = ['its model is not registered as reviews'];
  const { activities } = stubActivities({ finishTracking: async () => ({ runId: 'm1', warnings }) });
  const handle = await stack.startWorkflow({ activities });
  expect(await handle.result()).toMatchObject({ mlflowRunId: 'm1', trackingWarnings: warnings });
});

test('cancelling waits for training to write its checkpoint, and leaves the MLflow run KILLED', async () => {
  let ended = false;
  const { activities, calls } = stubActivities({
    train: async () => {
      const context = Context.current();
      const heartbeat = setInterval(() => context.heartbeat(), 50);
      try {
        return await context.cancelled;
      } catch (error) {
        await sleep(300); // the checkpoint
        ended = true;
        throw error;
      } finally {
        clearInterval(heartbeat);
      }
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(() => calls.some(([name]) => name === 'train'));
  await handle.cancel();
  expect(await failureOfRun(handle)).toBeInstanceOf(CancelledFailure);
  expect((await handle.describe()).status.name).toBe('CANCELLED');
  await stack.recordHistory('cancelled', handle);
  expect(ended).toBe(true);
  expect(calls.at(-1)).toMatchObject(['finishTracking', { status: 'KILLED' }]);
});

test('a pause interrupts training, and a resume continues it', async () => {
  const { train, requests } = longTraining();
  const { activities } = stubActivities({ train });
  const handle = await stack.startWorkflow({ activities });
  await until(() => requests.length === 1);
  await handle.signal(pause.signal);
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'paused');
  expect((await progressOf(handle)).paused).toBe(true);
  await sleep(200);
  expect(requests).toHaveLength(1);
  await handle.signal(resume.signal);
  await handle.result();
  await stack.recordHistory('paused', handle);
  expect(requests.map(({ stopEarly: isStopped }) => isStopped)).toEqual([false, false]);
});

test('a pause before training takes effect after the current stage', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const { activities, calls } = stubActivities();
  const { convert } = activities;
  activities.convert = async (o) => {
    await released;
    return convert(o);
  };
  const handle = await stack.startWorkflow({ activities });
  await until(async () => (await progressOf(handle)).stages[1]!.state === 'running');
  await handle.signal(pause.signal);
  release();
  await until(async () => (await progressOf(handle)).stages[2]!.state === 'paused');
  expect((await progressOf(handle)).stages[1]!.state).toBe('done');
  expect(calls.some(([name]) => name === 'cache')).toBe(false);
  await handle.signal(resume.signal);
  await handle.result();
});

test('stopEarly ends training at its checkpoint, which is packaged', async () => {
  const { train, requests } = longTraining();
  const { activities, calls } = stubActivities({ train });
  const handle = await stack.startWorkflow({ activities });
  await until(() => requests.length === 1);
  await handle.signal(stopEarly.signal);
  await handle.result();
  await stack.recordHistory('stopped-early', handle);
  expect(requests.map(({ stopEarly: isStopped }) => isStopped)).toEqual([false, true]);
  expect(calls.map(([name]) => name)).toContain('package');
});

test('cancelling a paused run ends it', async () => {
  const { train, requests } = longTraining();
  const { activities, calls } = stubActivities({ train });
  const handle = await stack.startWorkflow({ activities });
  await until(() => requests.length === 1);
  await handle.signal(pause.signal);
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'paused');
  await handle.cancel();
  expect(await failureOfRun(handle)).toBeInstanceOf(CancelledFailure);
  expect(calls.at(-1)).toMatchObject(['finishTracking', { status: 'KILLED' }]);
});

test('a resumed run keeps its key, and passes on the stage from which nothing is reused', async () => {
  const { activities, calls } = stubActivities();
  const handle = await stack.startWorkflow({ input: { runKey: 'first', from: 'evaluate' }, activities });
  await handle.result();
  await stack.recordHistory('resumed-from-evaluate', handle);
  const { runId } = (await handle.describe()) as { runId: string };
  expect(calls[0]![1]).toMatchObject({ runKey: 'first', redo: { from: 'evaluate', token: runId } });
});

test('a run that is reset continues from the given event, with the same key', async () => {
  const { activities, calls } = stubActivities();
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  const { events } = await handle.fetchHistory();
  const evaluate = events!.find(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'evaluate',
  )!;
  const before = calls.splice(0);
  await stack.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId },
    workflowTaskFinishEventId: evaluate.activityTaskScheduledEventAttributes!.workflowTaskCompletedEventId!,
    requestId: 'reset',
  });
  const again = stack.client.workflow.getHandle(handle.workflowId);
  expect(await again.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });
  expect(calls.map(([name]) => name)).toEqual(['evaluate', 'package', 'finishTracking']);
  const runOf = (of: typeof calls) => (of.find(([name]) => name === 'evaluate')![1] as { run: ResolvedRun }).run;
  expect(runOf(calls)).toEqual(runOf(before));
  await stack.recordHistory('reset', again);
});

test('a stage whose worker stopped answering is given out again', async () => {
  let release = () => {};
  const hung = new Promise<void>((resolve) => (release = resolve));
  let attempts = 0;
  const { activities } = stubActivities({
    download: async () => {
      if (++attempts === 1) await hung;
      return { reused: false, detail: `attempt ${attempts}`, data: {}, encoder: { name: 'x' } };
    },
  });
  const { resolveRun } = activities;
  activities.resolveRun = async (request) => ({ ...(await resolveRun(request)), heartbeatTimeoutMs: 2000 });
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  release();
  expect((await progressOf(handle)).stages[0]).toMatchObject({ state: 'done', detail: 'attempt 2' });
});

const refusalOf = async (answer: Promise<unknown>): Promise<string> => {
  const refused = await answer.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(WorkflowUpdateFailedError);
  return (refused as WorkflowUpdateFailedError).cause?.message ?? '';
};

test('updates say what comes of them, and refuse what makes no sense', async () => {
  const { train, requests } = longTraining();
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const { activities, calls } = stubActivities({ train });
  const { tokenize } = activities;
  activities.tokenize = async (o) => {
    await released;
    return tokenize(o);
  };
  const handle = await stack.startWorkflow({ activities });
  const request = (update: UpdateDefinition<ControlAnswer>) => handle.executeUpdate(update);
  await until(() => calls.some(([name]) => name === 'cache'));
  await until(async () => (await progressOf(handle)).stages[3]!.state === 'running');
  expect(await refusalOf(request(resume.update))).toBe('resume: the run is not paused');
  expect(await refusalOf(request(stopEarly.update))).toContain('training is not running');
  expect(await request(pause.update)).toEqual({ paused: true, message: 'the run pauses after tokenize' });
  expect(await refusalOf(request(pause.update))).toBe('pause: the run is already paused');
  expect(await request(resume.update)).toEqual({ paused: false, message: 'the run continues' });
  release();
  await until(() => requests.length === 1);
  expect(await request(pause.update)).toEqual({ paused: true, message: 'training writes a checkpoint and pauses' });
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'paused');
  expect(await request(stopEarly.update)).toMatchObject({ paused: false });
  await handle.result();
  await stack.recordHistory('updates', handle);
  expect(requests.map(({ stopEarly: isStopped }) => isStopped)).toEqual([false, true]);
});

test('a signal that has no effect leaves a note', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const { activities } = stubActivities({
    download: async () => {
      await released;
      return { reused: false, detail: '', data: {}, encoder: { name: 'x' } };
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await handle.signal(stopEarly.signal);
  release();
  await handle.result();
  expect((await progressOf(handle)).notes.join()).toContain('stopEarly had no effect: training is not running');
});

test('warnings of training appear once among the notes', async () => {
  const { activities } = stubActivities({
    train: async () => {
      const { workflowId } = Context.current().info.workflowExecution!;
      const place = { step: 1, totalSteps: 2, epoch: 0, loss: 1, examplesPerSecond: 1, secondsLeft: 1 };
      const warnings = ['a batch of 64 × 128 tokens does not fit into memory: going on with 2 micro-batches a batch'];
      for (const step of [1, 2])
        await stack.client.workflow.getHandle(workflowId).signal(trainingProgress, { ...place, step, warnings });
      return trained;
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  const { notes, training } = await progressOf(handle);
  expect(notes.filter((note) => note.includes('micro-batches'))).toHaveLength(1);
  expect(training).toEqual({ step: 2, totalSteps: 2, epoch: 0, loss: 1, examplesPerSecond: 1, secondsLeft: 1 });
});

test('after the run is resolved, its stages run on the queues that were chosen for its files and its device', async () => {
  await Promise.all(['files-of-a', 'gpu-of-a'].map((taskQueue) => stack.startWorker({ taskQueue })));
  const { activities } = stubActivities();
  const { resolveRun } = activities;
  const queues: Record<string, string> = {};
  const seen = Object.entries({
    ...activities,
    resolveRun: async (request: Parameters<typeof resolveRun>[0]) => ({
      ...(await resolveRun(request)),
      queues: { cpu: 'files-of-a', gpu: 'gpu-of-a', gpuSharesFiles: true },
    }),
  }).map(([name, activity]) => [
    name,
    (input: never) => {
      queues[name] = Context.current().info.taskQueue;
      return activity(input);
    },
  ]);
  const handle = await stack.startWorkflow({ activities: Object.fromEntries(seen) as object });
  await handle.result();
  const { resolveRun: first, train, evaluate, ...others } = queues;
  expect([first, train, evaluate]).toEqual(['test', 'gpu-of-a', 'gpu-of-a']);
  expect(new Set(Object.values(others))).toEqual(new Set(['files-of-a']));
});

/** A training whose attempts all fail at once; `checkpointStep` returns the step that an attempt has reached. */
function failingTraining(checkpointStep: (attempt: number) => number | undefined) {
  let attempts = 0;
  const train = async () => {
    const step = checkpointStep(++attempts);
    if (step === undefined) return trained;
    const { workflowId } = Context.current().info.workflowExecution!;
    const place = { step, totalSteps: 99, epoch: 0, loss: 1, examplesPerSecond: 1, secondsLeft: 1 };
    await stack.client.workflow.getHandle(workflowId).signal(trainingProgress, { ...place, checkpointStep: step });
    throw ApplicationFailure.create({ message: 'ended by SIGKILL', type: 'TrainerCrashed', nextRetryDelay: 1 });
  };
  return { train, attempts: () => attempts };
}

describe('with three attempts at training and one at short activities', () => {
  beforeAll(async () => {
    const replacements = { 'retry-policies.ts': join(import.meta.dirname, '../test/few-attempts.ts') };
    await stack.startWorker({ taskQueue: 'few-attempts', workflowBundle: await bundleWorkflows({ replacements }) });
  });
  const start = (activities: object) => stack.startWorkflow({ activities, taskQueue: 'few-attempts' });

  test('a training that always crashes at the same step fails when its attempts are used up', async () => {
    const { train, attempts } = failingTraining(() => 1);
    const handle = await start(stubActivities({ train }).activities);
    expect(await failureOfRun(handle)).toMatchObject({ type: 'TrainerCrashed', message: 'train: ended by SIGKILL' });
    expect(attempts()).toBe(6);
  });

  test('the attempts of a training that crashes but advances are counted from its last checkpoint', async () => {
    const { train, attempts } = failingTraining((attempt) => (attempt > 7 ? undefined : attempt));
    const handle = await start(stubActivities({ train }).activities);
    await handle.result();
    await stack.recordHistory('crashing-but-getting-on', handle);
    expect(attempts()).toBe(8);
    expect((await progressOf(handle)).notes.join()).toContain('advanced from step 3 to 6, so it is retried');
  });

  test('a run continues without a tracking server that does not answer in time', async () => {
    let release = () => {};
    const held = new Promise<Tracking>((resolve) => (release = () => resolve({})));
    const { activities } = stubActivities({ startTracking: () => held });
    const { resolveRun } = activities;
    activities.resolveRun = async (request) => ({ ...(await resolveRun(request)), heartbeatTimeoutMs: 2000 });
    const handle = await start(activities);
    expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });
    release();
    await stack.recordHistory('late-tracking', handle);
  });
});
