import { expect, test } from '@jest/globals';
import type { CheckpointSaved, LoggedEvent, TrainEvent } from '../events.js';
import { type FromTrainer, recordOf, type ToTrainer } from '../trainer-protocol.js';
import { validateFromTrainer, validateToTrainer, validateTrainingResult } from './trainer-messages.js';

const scores = { precision: NaN, recall: 0.5, f1: 0.5 };
const step: LoggedEvent = {
  type: 'step',
  step: 1,
  epoch: 0,
  loss: NaN,
  lr: 1e-4,
  examplesPerSecond: 80,
  tokensPerSecond: 900,
  secondsLeft: Infinity,
  timestampMs: 5000,
};
const evaluated: LoggedEvent = {
  type: 'eval',
  split: 'val',
  step: 1,
  epoch: 0,
  loss: 0.7,
  timestampMs: 5000,
  report: {
    classes: [{ labelId: 0, support: 2, ...scores }],
    micro: scores,
    macro: scores,
    weighted: scores,
    accuracy: 0.5,
    support: 2,
    confusion: [[2]],
  },
};
const started: TrainEvent = {
  type: 'start',
  step: 0,
  totalSteps: 9,
  stepsPerEpoch: 3,
  epochs: 3,
  trainExamples: 24,
  validationExamples: 0,
  trainableParameters: 100,
  device: 'cpu',
  gpus: 0,
  resumedFrom: undefined,
};
const result = { step: 9, epoch: 2, reason: 'completed' as const, lastWeights: 'last.safetensors' };
const best = { bestWeights: 'best.safetensors', best: { monitor: 'val_loss', value: 0.3, step: 6, epoch: 1 } };
const checkpoint: CheckpointSaved = { step: 1, epoch: 0, path: 'step-1', sizeBytes: 9, events: [step, evaluated] };

/** A message as the other process receives it. */
const sent = (message: unknown): unknown => JSON.parse(JSON.stringify(message));

test.each<FromTrainer<unknown>>([
  { type: 'ready' },
  { type: 'heartbeat' },
  { type: 'progress', event: started },
  { type: 'progress', event: step },
  { type: 'progress', event: evaluated },
  { type: 'progress', event: { type: 'warning', message: 'the disk is nearly full' } },
  { type: 'progress', event: { type: 'done', ...result, ...best } },
  { type: 'committed', checkpoint },
  { type: 'done', result, waits: true },
  { type: 'failed', error: recordOf(new TypeError('x is not a function')) },
])('a trainer’s message %# is received as it was sent', (message) => {
  expect(validateFromTrainer(sent(message), 'm')).toEqual(sent(message));
});

test.each<ToTrainer<unknown>>([
  { type: 'run', task: { do: 'train' } },
  { type: 'stop', how: 'early' },
  { type: 'lease' },
  { type: 'ack', step: 5 },
])('a worker’s message %# is received as it was sent', (message) => {
  expect(validateToTrainer(sent(message), 'm')).toEqual(message);
});

test.each([
  [null, 'value must be object'],
  [{}, `value must have required property 'type'`],
  [{ type: 'beat' }, 'value/type is unknown: "beat"'],
  [{ type: 'progress', event: { type: 'stepped' } }, 'value/event/type is unknown: "stepped"'],
  [{ type: 'progress', event: { ...step, step: '1' } }, 'value/event/step must be integer'],
  [
    { type: 'committed', checkpoint: { ...checkpoint, events: [{ ...step, epoch: -1 }] } },
    'value/checkpoint/events/0/epoch must be >= 0',
  ],
  [{ type: 'done', result }, `value must have required property 'waits'`],
  [
    { type: 'failed', error: { name: 'E', kind: 'odd', message: 'm', retryable: true } },
    'value/error/kind must be equal to one of the allowed values',
  ],
])('a message that is not one of a trainer, such as %j, is reported with what is wrong', (message, problem) => {
  expect(() => validateFromTrainer(message, 'a message')).toThrow(new RegExp(`^a message is invalid: ${problem}$`));
});

test.each([
  [{ type: 'halt' }, 'value/type is unknown: "halt"'],
  [{ type: 'stop', how: 'now' }, 'value/how must be equal to constant'],
  [{ type: 'ack', step: null }, 'value/step must be integer'],
])('a message that is not one of a worker, such as %j, is reported with what is wrong', (message, problem) => {
  expect(() => validateToTrainer(message, 'a message')).toThrow(`a message is invalid: ${problem}`);
});

test('a result of a training that lacks its weights is reported', () => {
  expect(validateTrainingResult({ ...result, ...best }, 'r')).toEqual({ ...result, ...best });
  expect(() => validateTrainingResult({ ...result, lastWeights: null }, 'the result')).toThrow(
    /^the result is invalid: value\/lastWeights must be string$/,
  );
});
