import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { ApplicationFailure, Payload } from '@temporalio/common';
import * as fc from 'fast-check';
import type { Progress } from '@nautil/contracts';
import { stubActivities } from '../test/stub-activities.js';
import { TestStack } from '../test/test-stack.js';
import { failureOfRun, until } from '../test/until.js';
import { runProgress, trainingProgress } from './messages.js';

// Everyone who reaches the server can send a run any message. None of them may block the run or fail it.

let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.start([...Object.keys(stubActivities().activities), 'planSweep', 'startSweepTracking']);
});
afterAll(() => stack.stop());

const seed = 12;
const jsonValues = (numRuns: number): unknown[] => fc.sample(fc.jsonValue(), { numRuns, seed });

const valid = {
  step: 3,
  totalSteps: 9,
  epoch: 0,
  loss: 0.5,
  examplesPerSecond: 10,
  secondsLeft: 6,
  validation: { epoch: 0, loss: 0.4, accuracy: 0.9, f1Macro: 0.8 },
  checkpointStep: 3,
  warnings: ['a warning'],
};

/** A valid payload of which one property has another value, or is missing. */
const almostValid = (numRuns: number): unknown[] =>
  fc.sample(
    fc
      .tuple(fc.constantFrom(...Object.keys(valid)), fc.option(fc.jsonValue(), { nil: undefined }))
      .map(([key, value]) => ({ ...valid, [key]: value })),
    { numRuns, seed },
  );

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const payload = (encoding: string, data: string): Payload => ({
  metadata: { encoding: bytes(encoding) },
  data: bytes(data),
});

/** Payloads that no converter decodes to JSON, such as those of a client with an encryption codec. */
const undecodable: Payload[] = [
  payload('binary/encrypted', 'x'),
  payload('json/plain', '{"step": '),
  payload('json/plain', ''),
  payload('json/protobuf', '{}'),
  payload('binary/plain', 'bytes'),
  payload('binary/null', ''),
  { data: bytes('1') },
  { metadata: {}, data: bytes('1') },
  {},
];

const nested = '['.repeat(20_000) + ']'.repeat(20_000);

async function signalRaw({ workflowId }: WorkflowHandle, signalName: string, payloads: Payload[]): Promise<void> {
  await stack.client.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId },
    signalName,
    input: { payloads },
  });
}

/** A run whose training waits until `release` is called. */
async function heldRun(): Promise<{ handle: WorkflowHandle; release: () => void }> {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const { activities } = stubActivities();
  const { train } = activities;
  activities.train = async (request) => {
    if (request.stopEarly) return train(request);
    const heartbeat = setInterval(() => Context.current().heartbeat(), 100);
    try {
      await Promise.race([released, Context.current().cancelled]);
    } finally {
      clearInterval(heartbeat);
    }
    return train(request);
  };
  const handle = await stack.startWorkflow({ activities });
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'running');
  return { handle, release };
}

const progressOf = (handle: WorkflowHandle): Promise<Progress> => handle.query(runProgress);

/** What ends a run in spite of its own code: failed workflow tasks, which Temporal repeats forever. */
async function failedTasks(handle: WorkflowHandle): Promise<unknown[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure?.message ?? []);
}

test('a training signal with any payload but a valid one is ignored, and the run completes', async () => {
  const { handle, release } = await heldRun();
  await handle.signal(trainingProgress, valid);
  const before = { ...(await progressOf(handle)).training };
  const { warnings, ...expected } = valid;
  expect(before).toEqual(expected);
  for (const value of [null, undefined, ...jsonValues(100)]) await handle.signal(trainingProgress, value);
  await handle.signal('training');
  for (const raw of undecodable) await signalRaw(handle, 'training', [raw]);
  await signalRaw(handle, 'training', [payload('json/plain', nested), payload('json/plain', '1')]);
  expect((await progressOf(handle)).training).toEqual(before);

  for (const value of almostValid(100)) await handle.signal(trainingProgress, value);
  await handle.signal(trainingProgress, { ...valid, unknown: 1, step: 4, warnings });
  expect(Object.keys((await progressOf(handle)).training!).sort()).toEqual(Object.keys(expected).sort());
  expect((await progressOf(handle)).training?.step).toBe(4);
  release();
  expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });
  expect(await failedTasks(handle)).toEqual([]);
}, 60_000);

test('requests with any payload have the effect of those without one', async () => {
  const { handle } = await heldRun();
  for (const value of jsonValues(10)) {
    await handle.signal('pause', value);
    await handle.signal('resume', value, value);
  }
  for (const raw of undecodable) {
    await signalRaw(handle, 'pause', [raw]);
    await signalRaw(handle, 'resume', [raw]);
  }
  for (const value of jsonValues(5)) {
    expect(await handle.executeUpdate('pause', { args: [value] })).toMatchObject({ paused: true });
    expect(await handle.executeUpdate('resume', { args: [value] })).toMatchObject({ paused: false });
    expect(await handle.query('progress', value)).toMatchObject({ paused: false });
  }
  await handle.signal('no such signal', null);
  await handle.signal('__temporal_of_an_unknown_version', null);
  await expect(handle.executeUpdate('no such update')).rejects.toThrow('Workflow Update failed');
  await handle.signal('stopEarly', { reason: 'enough' });
  expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });
  expect(await failedTasks(handle)).toEqual([]);
}, 60_000);

test('notes that signals cause are bounded', async () => {
  const { handle, release } = await heldRun();
  for (let index = 0; index < 30; index += 1) {
    const warnings = Array.from({ length: 100 }, (_, number) => `${index} ${number} ${'x'.repeat(1000)}`);
    await handle.signal(trainingProgress, { ...valid, warnings });
    await handle.signal('resume');
  }
  expect(JSON.stringify((await progressOf(handle)).notes).length).toBeLessThan(500_000);
  release();
  await handle.result();
  expect(await failedTasks(handle)).toEqual([]);
}, 60_000);

test.each(['textClassification', 'sweep'])(
  'a %s with an input of the wrong shape fails by name',
  async (type) => {
    const keys = ['config', 'overrides', 'continued', 'from', 'limit', 'random', 'seed', 'objective', 'cwd'];
    const inputs = [
      ...jsonValues(15).filter((value) => value !== null),
      ...keys.map((key) => ({ [key]: { stopEarly: 1, rows: [null] } })),
      { overrides: ['a=1'], continued: { plan: {}, rows: [{}], tracking: null } },
      { overrides: [[[]]] },
      { ['k'.repeat(100_000)]: 1 },
      { '\x1b[31mred': 1 },
    ];
    const { activities } = stubActivities();
    const handles = await Promise.all(inputs.map((input) => stack.startWorkflow({ type, input, activities })));
    for (const [index, handle] of handles.entries()) {
      const isEmpty = JSON.stringify(inputs[index]) === '{}' && type === 'textClassification';
      const failure = (await failureOfRun(handle)) as ApplicationFailure;
      if (!isEmpty) {
        expect(failure).toMatchObject({ type: 'InputError', nonRetryable: true });
        expect(failure.failure?.stackTrace ?? '').toBe('');
        // eslint-disable-next-line no-control-regex -- these are what must not be stored
        expect(failure.message).not.toMatch(/[\0-\x08\x0b-\x1f]/);
      }
      expect(await failedTasks(handle)).toEqual([]);
    }
  },
  60_000,
);

test.each(undecodable.slice(0, 4))('a run whose input cannot be decoded fails by name (%#)', async (raw) => {
  const workflowId = `undecodable-${undecodable.indexOf(raw)}`;
  await stack.client.workflowService.startWorkflowExecution({
    namespace: 'default',
    workflowId,
    requestId: workflowId,
    workflowType: { name: 'textClassification' },
    taskQueue: { name: 'test' },
    input: { payloads: [raw] },
  });
  const failure = await failureOfRun(stack.client.workflow.getHandle(workflowId));
  expect(failure).toMatchObject({ type: 'InputError', message: expect.stringContaining('undecodable') });
});

test('names that are longer than the server accepts as search attributes do not block a run', async () => {
  const { activities } = stubActivities();
  const { resolveRun } = activities;
  activities.resolveRun = async (request) => ({ ...(await resolveRun(request)), experiment: 'ü'.repeat(5000) });
  const handle = await stack.startWorkflow({ activities });
  await Promise.race([handle.result(), sleep(10_000)]);
  expect(await failedTasks(handle)).toEqual([]);
  expect((await handle.describe()).status.name).toBe('COMPLETED');
}, 30_000);
