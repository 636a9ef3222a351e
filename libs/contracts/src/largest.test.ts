import { expect, test } from '@jest/globals';
import { largest, smallest } from './largest.js';

test('the largest and the smallest of more values than a call can take are found', () => {
  const values = Array.from({ length: 300_000 }, (_, index) => (index * 7) % 300_001);
  expect([smallest(values), largest(values)]).toEqual([0, 300_000]);
});

test('without values, and with NaN, the result is that of Math.max and Math.min', () => {
  for (const values of [[], [1, NaN, 2]]) {
    expect(largest(values)).toBe(Math.max(...values));
    expect(smallest(values)).toBe(Math.min(...values));
  }
});
