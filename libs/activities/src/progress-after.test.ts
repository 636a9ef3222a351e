import { expect, test } from '@jest/globals';
import type { TrainEvent } from '@nautil/contracts';
import { progressAfter } from './progress-after.js';

const started = {
  type: 'start', step: 896, totalSteps: 1680, stepsPerEpoch: 28, epochs: 60, trainExamples: 800, validationExamples: 0,
  trainableParameters: 9, device: 'cpu', gpus: 0,
} as const satisfies TrainEvent; // prettier-ignore
const stepped = {
  type: 'step', step: 897, epoch: 32, loss: 0.5, lr: 1e-5, examplesPerSecond: 4, tokensPerSecond: 40, secondsLeft: NaN,
  timestampMs: 1,
} as const satisfies TrainEvent; // prettier-ignore

test('a resumed training is in the epoch of its next step, and its loss and its speed are not known yet', () => {
  expect(progressAfter(undefined, started)).toMatchObject({
    ...{ step: 896, totalSteps: 1680, epoch: 32 },
    ...{ loss: NaN, examplesPerSecond: NaN, secondsLeft: NaN },
  });
  expect(progressAfter(undefined, { ...started, step: 1680 })?.epoch).toBe(59);
  expect(progressAfter(undefined, { ...started, step: 0 })?.epoch).toBe(0);
});

test('the speed is not known after the first step of a process, whose time left is not known', () => {
  const progress = progressAfter(undefined, started);
  expect(progressAfter(progress, stepped)).toMatchObject({ loss: 0.5, examplesPerSecond: NaN, secondsLeft: NaN });
  // As it arrives from another process: JSON has no NaN.
  const received = JSON.parse(JSON.stringify(stepped)) as typeof stepped;
  expect(progressAfter(progress, received)).toMatchObject({ examplesPerSecond: NaN, secondsLeft: NaN });
  expect(progressAfter(progress, { ...stepped, secondsLeft: 78 })).toMatchObject({
    ...{ examplesPerSecond: 4, secondsLeft: 78 },
  });
});
