import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { TrainingProgress } from '@nautil/contracts';
import { displayWidth } from '@nautil/metrics';
import { formatLoss, formatSpeed, formatStage, formatTraining } from './format-progress.js';

const training: TrainingProgress = {
  step: 20,
  totalSteps: 30,
  epoch: 1,
  loss: 0.6848,
  examplesPerSecond: 31.2,
  secondsLeft: 17,
};

test('a wide line has everything, and a narrow one leaves out the speed first', () => {
  expect(formatTraining(training, 100)).toBe(
    `epoch 2  ${'━'.repeat(16)}${'─'.repeat(8)}  step 20/30  loss 0.6848  17 s left  31 examples/s`,
  );
  expect(formatTraining(training, 60)).toMatch(/^epoch 2 {2}━+─+ {2}step 20\/30 {2}loss 0\.6848 {2}17 s left$/);
  expect(formatTraining(training, 35)).toMatch(/^epoch 2 {2}━+─+ {2}step 20\/30$/);
});

test('a training fits every width, whatever its numbers are', () => {
  const count = fc.integer({ min: 1, max: 10_000_000 });
  const numbers = fc.record({
    step: count,
    totalSteps: count,
    epoch: fc.integer({ min: 0, max: 9999 }),
    loss: fc.double({ noNaN: true, min: 0, max: 1e6 }),
    examplesPerSecond: fc.double({ noNaN: true, min: 0, max: 1e6 }),
    secondsLeft: count,
  });
  fc.assert(
    fc.property(numbers, fc.integer({ min: 20, max: 200 }), (progress, width) => {
      expect(displayWidth(formatTraining(progress, width))).toBeLessThanOrEqual(width);
    }),
    { seed: 7 },
  );
});

test('small numbers keep their significant digits', () => {
  expect([0.69314, 0.00042, 0, 12.5].map(formatLoss)).toEqual(['0.6931', '0.00042', '0.0000', '12.5000']);
  expect([0.25, 9.94, 81.6, 1234.5].map(formatSpeed)).toEqual(['0.3', '9.9', '82', '1235']);
});

test('the detail of a stage is broken below its first word, and a path stays whole', () => {
  const path = `/a/long/path/${'x'.repeat(40)}`;
  const detail = `800 train, 200 validation examples; ${path}`;
  expect(formatStage({ stage: 'convert', state: 'done', detail }, 40)).toEqual([
    '✓ convert   800 train, 200 validation',
    '            examples;',
    `            ${path}`,
  ]);
});
