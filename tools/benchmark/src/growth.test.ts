import { expect, test } from '@jest/globals';
import { exponentOf } from './growth.js';

test.each([0, 0.5, 1, 2])('the exponent of c · size^%d is found for any c and any sizes', (exponent) => {
  for (const factor of [0.001, 7]) {
    const points = [3, 10, 500].map((size) => ({ size, value: factor * size ** exponent }));
    expect(exponentOf(points)).toBeCloseTo(exponent, 10);
  }
});
