import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { formatDuration } from './format-duration.js';
import { TrainingDisplay } from './training-display.js';

function recorded(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  return { stream, text: () => String(stream.read() ?? '') };
}

const progress = { step: 1, totalSteps: 3, epoch: 0, loss: 0.69314, examplesPerSecond: 81.6, secondsLeft: 125 };

test('without a terminal it writes the first and the last step once, and not one line per step', () => {
  const { stream, text } = recorded(false);
  const display = new TrainingDisplay(stream);
  display.show(progress);
  display.show({ ...progress, step: 2 });
  display.show({ ...progress, step: 3, secondsLeft: 0 });
  display.show({ ...progress, step: 3, secondsLeft: 0 });
  expect(text()).toBe(
    'epoch 1  step 1/3  loss 0.6931  82 examples/s  2 min 05 s left\nepoch 1  step 3/3  loss 0.6931  82 examples/s  0 s left\n',
  );
});

test('without a terminal a line is printed without control characters', () => {
  const { stream, text } = recorded(false);
  new TrainingDisplay(stream).warn('the disk is nearly full');
  expect(text()).toBe('warning: the disk is nearly full\n');
});

test('figures that are not known yet, which JSON has as null, are left out', () => {
  const { stream, text } = recorded(false);
  const resumed = { ...progress, loss: NaN, examplesPerSecond: NaN, secondsLeft: NaN };
  new TrainingDisplay(stream).show(resumed);
  new TrainingDisplay(stream).show(JSON.parse(JSON.stringify(resumed)) as typeof progress);
  expect(text()).toBe('epoch 1  step 1/3\nepoch 1  step 1/3\n');
});

test('durations are formatted with at most two units', () => {
  expect([0, 59.4, 61, 3599, 7500].map(formatDuration)).toEqual([
    '0 s',
    '59 s',
    '1 min 01 s',
    '59 min 59 s',
    '2 h 05 min',
  ]);
});
