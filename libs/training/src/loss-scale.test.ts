import { describe, expect, test } from '@jest/globals';
import { initialLossScale, isExhausted, type LossScale, lossScaleAfter, SkippedSteps } from './loss-scale.js';

const after = (before: LossScale, steps: readonly boolean[]): LossScale =>
  steps.reduce((state, isSkipped) => lossScaleAfter(state, isSkipped), before);
const good = (count: number): boolean[] => Array<boolean>(count).fill(false);

describe("the loss scale follows torch's GradScaler", () => {
  test('2000 steps with finite gradients double it, and 1999 do not', () => {
    expect(after(initialLossScale(65536), good(1999))).toEqual({ scale: 65536, goodSteps: 1999, skippedSteps: 0 });
    expect(after(initialLossScale(65536), good(2000))).toEqual({ scale: 131072, goodSteps: 0, skippedSteps: 0 });
    expect(after(initialLossScale(65536), good(6001))).toEqual({ scale: 524288, goodSteps: 1, skippedSteps: 0 });
  });

  test('a skipped step halves it, and the interval begins again', () => {
    const state = after(initialLossScale(65536), [...good(1999), true, ...good(1999)]);
    expect(state).toEqual({ scale: 32768, goodSteps: 1999, skippedSteps: 1 });
    expect(after(state, good(1))).toEqual({ scale: 65536, goodSteps: 0, skippedSteps: 1 });
    expect(after(state, [true, true])).toEqual({ scale: 8192, goodSteps: 0, skippedSteps: 3 });
  });

  test('it does not grow beyond the numbers of float32, in which the graph computes', () => {
    const largest: LossScale = { scale: 2 ** 127, goodSteps: 1999, skippedSteps: 4 };
    expect(lossScaleAfter(largest, false)).toEqual({ scale: 2 ** 127, goodSteps: 0, skippedSteps: 4 });
  });
});

test('it is exhausted after 31 skipped steps in a row, which no training recovers from', () => {
  const skipped = (count: number): LossScale => after(initialLossScale(65536), Array<boolean>(count).fill(true));
  expect(isExhausted(skipped(30))).toBe(false);
  expect(isExhausted(skipped(31))).toBe(true);
});

test('each series of skipped steps gives one warning, when it has ended', () => {
  const skipped = new SkippedSteps();
  let state = initialLossScale(65536);
  const warnings: [number, string][] = [];
  for (const [index, isSkipped] of [true, true, false, false, true, false, true].entries()) {
    state = lossScaleAfter(state, isSkipped);
    const warning = skipped.after(index + 1, state, isSkipped);
    if (warning !== undefined) warnings.push([index + 1, warning]);
  }
  const reason = 'skipped, because gradients overflowed float16: the loss scale is';
  expect(warnings).toEqual([
    [3, `steps 1 to 2 were ${reason} 16384 now, and 2 steps of the run so far had no update`],
    [6, `step 5 was ${reason} 8192 now, and 3 steps of the run so far had no update`],
  ]);
  expect(skipped.ended(7, state)).toBe(`step 7 was ${reason} 4096 now, and 4 steps of the run so far had no update`);
  expect(skipped.ended(7, state)).toBeUndefined();
});
