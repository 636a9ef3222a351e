import { expect, test } from '@jest/globals';
import { CorruptFile } from '@nautil/formats';
import { parseState, stringifyState, type TrainingState } from './training-state.js';

const state: TrainingState = {
  step: 7,
  microBatches: 2,
  best: { monitor: 'val_loss', value: 0.5, step: 5 },
  patience: { waited: 1, best: 0.5 },
  plateau: { factor: 0.1, best: null, bad: 0, cooldown: 0 },
  lossScale: { scale: 2 ** -3, goodSteps: 1999, skippedSteps: 2 },
  events: [],
};

test('a state is read as it was written', () => {
  expect(parseState(stringifyState(state), 'step-7.safetensors')).toEqual(state);
});

test('the number of micro-batches is stored as split, which older checkpoints have', () => {
  expect(parseState('{"step":3,"split":4,"events":[]}', 'step-3.safetensors')).toEqual({
    step: 3,
    microBatches: 4,
    events: [],
  });
  expect(JSON.parse(stringifyState(state))).toMatchObject({ split: 2 });
});

test.each([
  undefined,
  '{}',
  '{"step":-1,"split":1,"events":[]}',
  '{"step":1,"split":1}',
  '{"step":1,"split":1,"events":[],"lossScale":{"scale":0,"goodSteps":0,"skippedSteps":0}}',
  '{"step":1,"split":1,"events":[],"lossScale":{"scale":1}}',
])('the state %j is rejected with the name of its file', (json) => {
  expect(() => parseState(json, 'step-1.safetensors')).toThrow(CorruptFile);
  expect(() => parseState(json, 'step-1.safetensors')).toThrow('step-1.safetensors');
});
