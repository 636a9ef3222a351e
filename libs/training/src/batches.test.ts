import { expect, test } from '@jest/globals';
import { compiledLengthMultiple, microBatchesOf, paddedLengths, padRows } from './batches.js';

const upTo = (longest: number): Uint16Array => Uint16Array.from({ length: longest - 1 }, (_, i) => i + 2);

test.each([
  [6, 1, 8, [6]],
  [32, 1, 8, [8, 16, 24, 32]],
  [64, 1, 8, [8, 16, 24, 32, 40, 48, 56, 64]],
  [65, 1, 16, [16, 32, 48, 64, 65]],
  [512, 1, 64, [64, 128, 192, 256, 320, 384, 448, 512]],
  [100, 4, 16, [16, 32, 48, 64, 80, 96, 100]],
  [100, 50, 50, [50, 100]],
  [100, 512, 512, [100]],
])(
  'texts of up to %i tokens, padded to multiples of %i, are compiled for multiples of %i',
  (longest, configured, multiple, expected) => {
    const lengths = upTo(longest);
    expect(compiledLengthMultiple(lengths, configured)).toBe(multiple);
    const padded = paddedLengths(lengths, { lengthMultiple: multiple, maxPositions: longest });
    expect(padded).toEqual(expected);
    expect(padded.length).toBeLessThanOrEqual(8);
  },
);

const batch = {
  rows: Int32Array.of(4, 9, 2),
  size: 3,
  length: 2,
  ids: Int32Array.of(1, 2, 3, 4, 5, 6),
  mask: Int32Array.of(1, 1, 1, 0, 1, 1),
  labels: Int32Array.of(1, 0, 1),
  tokens: 5,
};

test('rows that are added repeat the first, and have no weight in the loss', () => {
  const [, second] = microBatchesOf(batch, { count: 2, share: 1 });
  expect(second).toMatchObject({ rowOffset: 2, batch: { size: 1 } });
  const padded = padRows(second!, 3);
  expect(padded).toMatchObject({
    batch: {
      size: 3,
      length: 2,
      rows: Int32Array.of(2, 2, 2),
      ids: Int32Array.of(5, 6, 5, 6, 5, 6),
      mask: Int32Array.of(1, 1, 1, 1, 1, 1),
      labels: Int32Array.of(1, 1, 1),
    },
    rowOffset: 2,
  });
  expect(Array.from(padded.rowWeights)).toEqual([Math.fround(1 / 3), 0, 0]);
});

test('a micro-batch with enough rows stays as it is', () => {
  const [whole] = microBatchesOf(batch, { count: 1, share: 1 });
  expect(padRows(whole!, 3)).toEqual(whole);
});
