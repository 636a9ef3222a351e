import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { derivedSeed, seededSelection } from './seeded-selection.js';

const selected = (seed: number, take: number, total: number): number[] => {
  const isTaken = seededSelection({ seed, take, total });
  return Array.from({ length: total }, (_, index) => index).filter(() => isTaken());
};

test('a selection has exactly as many items as it should, and depends on its seed alone', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(50), fc.nat(200), (seed, take, total) => {
      const items = selected(seed, take, total);
      expect(items).toHaveLength(Math.min(take, total));
      expect(selected(seed, take, total)).toEqual(items);
    }),
  );
});

test('every item is equally likely', () => {
  const counts = new Array<number>(10).fill(0);
  for (let seed = 0; seed < 10_000; seed++)
    for (const item of selected(derivedSeed(seed, 'test'), 3, 10)) counts[item] = (counts[item] ?? 0) + 1;
  // 3,000 each; the standard deviation is 46.
  for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(5 * 46);
});

test('equal seeds of different purposes select different items', () => {
  expect(selected(derivedSeed(42, 'a'), 20, 100)).not.toEqual(selected(derivedSeed(42, 'b'), 20, 100));
});
