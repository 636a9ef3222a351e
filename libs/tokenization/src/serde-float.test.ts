import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { serdeFloat } from './serde-float.js';

test('a score is the quotient of its digits and a power of ten, as the Rust library reads it', () => {
  // The nearest float64 of 17 digits is not always the quotient.
  expect(serdeFloat(-4.2022271156311035)).toBe(-Number(42022271156311035n) / 1e16);
  expect([0, -100, 2.5, -1e-7].map(serdeFloat)).toEqual([0, -100, 2.5, -1e-7]);
});

test('at most four rounding errors separate it from the score: to decimal digits, of these, of the power of ten, and of the quotient', () => {
  const bound = 4 * 2 ** -53;
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: -50, max: 50 }), (score) => {
      expect(Math.abs(serdeFloat(score) - score)).toBeLessThanOrEqual(Math.abs(score) * bound);
    }),
  );
});
