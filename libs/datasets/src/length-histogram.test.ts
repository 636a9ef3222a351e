import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LengthHistogram } from './length-histogram.js';

test('the summary equals that of the sorted lengths', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { minLength: 1, maxLength: 200 }), (lengths) => {
      const histogram = new LengthHistogram();
      lengths.forEach((length) => histogram.add(length));
      const sorted = [...lengths].sort((a, b) => a - b);
      const ranked = (percent: number) => sorted[Math.ceil((percent / 100) * sorted.length) - 1];
      expect(histogram.summary()).toEqual({
        min: sorted[0],
        max: sorted.at(-1),
        mean: lengths.reduce((sum, length) => sum + length, 0) / lengths.length,
        median: ranked(50),
        percentile75: ranked(75),
        percentile95: ranked(95),
        percentile99: ranked(99),
      });
      expect(histogram.above(100)).toBe(lengths.filter((length) => length > 100).length);
    }),
  );
});

test('an empty histogram has no summary, and a length beyond the bins keeps its exact maximum', () => {
  const histogram = new LengthHistogram();
  expect(histogram.summary()).toBeUndefined();
  histogram.add(1_000_000);
  expect(histogram.summary()).toMatchObject({ max: 1_000_000, mean: 1_000_000 });
});
