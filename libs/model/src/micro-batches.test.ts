import { expect, test } from '@jest/globals';
import { computeBatches, tinyEncoders } from './testing/compute-batches.js';

const rows = [
  [5, 6, 7, 8, 9, 10],
  [5, 1, 1, 1, 1, 1],
  [11, 12, 13, 14, 1, 1],
];

test.each(tinyEncoders)('with dropout, micro-batches of $model_type add up to the whole batch', async (config) => {
  const { values } = await computeBatches(
    config,
    [{ rows }, { rows: rows.slice(0, 1) }, { rows: rows.slice(1), rowOffset: 1 }],
    { areFree: true },
  );
  const [[first, ...gradients], ...parts] = values as [Float32Array[], ...Float32Array[][]];
  const joined = parts.flatMap(([hidden]) => [...hidden!]);
  for (const [i, value] of first!.entries()) expect(joined[i]).toBeCloseTo(value, 4);
  for (const [index, gradient] of gradients.entries()) {
    const largest = Math.max(...gradient.map(Math.abs));
    for (const [i, value] of gradient.entries()) {
      const sum = parts.reduce((total, part) => total + part[index + 1]![i]!, 0);
      expect(Math.abs(sum - value)).toBeLessThan(1e-4 * Math.max(1, largest));
    }
  }
});
