import { expect, test } from '@jest/globals';
import { SignalThrottle } from './signal-throttle.js';

/** The number of signals in a run. */
function signalCount({
  epochs,
  steps,
  secondsPerStep,
}: {
  epochs: number;
  steps: number;
  secondsPerStep: number;
}): number {
  let seconds = 0;
  const throttle = new SignalThrottle(() => seconds);
  const totalSteps = epochs * steps;
  let count = 0;
  for (let step = 1; step <= totalSteps; step++) {
    seconds += secondsPerStep;
    if (throttle.isDue({ step, totalSteps }, { type: 'step' })) count++;
    if (step % steps === 0 && throttle.isDue({ step, totalSteps }, { type: 'eval' })) count++;
  }
  return count;
}

test.each([
  ['a thousand epochs of a minute', { epochs: 1000, steps: 60, secondsPerStep: 1 }, 100, 200],
  ['a thousand epochs of one long step', { epochs: 1000, steps: 1, secondsPerStep: 30 }, 100, 200],
  ['one epoch of a week', { epochs: 1, steps: 600_000, secondsPerStep: 1 }, 100, 102],
  ['three epochs of ten seconds', { epochs: 3, steps: 100, secondsPerStep: 0.1 }, 8, 12],
  ['one epoch of four minutes', { epochs: 1, steps: 217, secondsPerStep: 1.1 }, 25, 40],
])('%s: the number of signals is within its limits', (_run, run, least, most) => {
  expect(signalCount(run)).toBeGreaterThanOrEqual(least);
  expect(signalCount(run)).toBeLessThanOrEqual(most);
});

test('a warning is signalled at once', () => {
  const throttle = new SignalThrottle(() => 0);
  const progress = { step: 1, totalSteps: 1000 };
  expect(throttle.isDue(progress, { type: 'step' })).toBe(true);
  expect(throttle.isDue(progress, { type: 'step' })).toBe(false);
  expect(throttle.isDue(progress, { type: 'warning' })).toBe(true);
});
