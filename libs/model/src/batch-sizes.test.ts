import { expect, test } from '@jest/globals';
import { batchSizes } from './batch-sizes.js';

const repeated = (count: number, length: number): number[] => new Array<number>(count).fill(length);

test('rows of one length form batches of the largest size, and a rest', () => {
  expect(batchSizes(repeated(70, 20), 32)).toHaveLength(3);
  expect(batchSizes(repeated(64, 20), 32)).toEqual([32, 32]);
  expect(batchSizes([], 32)).toEqual([]);
});

test('a batch ends before rows whose length would pad it by more than a batch costs', () => {
  expect(batchSizes([...repeated(10, 20), ...repeated(10, 50)], 32)).toEqual([10, 10]);
  expect(batchSizes([...repeated(10, 20), ...repeated(10, 21)], 32)).toEqual([20]);
});

test('the batches contain every row, and none is larger than allowed', () => {
  const lengths = Array.from({ length: 500 }, (_, row) => 3 + ((row * row * 31) % 61)).sort((a, b) => a - b);
  for (const largest of [1, 7, 32, 1000]) {
    const sizes = batchSizes(lengths, largest);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(500);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(largest);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  }
});

test('padding of the sorted rows is less than with batches of one size', () => {
  const lengths = Array.from({ length: 500 }, (_, row) => 3 + ((row * row * 31) % 61)).sort((a, b) => a - b);
  const positions = (sizes: readonly number[]): number => {
    let end = 0;
    return sizes.reduce((sum, size) => sum + size * lengths[(end += size) - 1]!, 0);
  };
  const equal = [...repeated(15, 32), 20];
  expect(positions(batchSizes(lengths, 32))).toBeLessThan(positions(equal));
});
