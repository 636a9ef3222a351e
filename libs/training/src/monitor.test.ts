import { describe, expect, test } from '@jest/globals';
import { patienceAfter, plateauAfter } from './monitor.js';

describe.each([
  ['min', [0.5, 0.4]],
  ['max', [0.4, 0.5]],
] as const)(
  'a value that is NaN or infinite is worse than every number, and leaves a state that JSON can hold: %s',
  (mode, [first, better]) => {
    const unusable = [NaN, Infinity, -Infinity];

    test.each(unusable)('early stopping, %d', (value) => {
      const o = { mode, min_delta: 0 };
      const afterBad = patienceAfter(undefined, value, o);
      expect(afterBad.waited).toBe(1);
      expect(JSON.parse(JSON.stringify(afterBad))).toEqual(afterBad);
      const afterGood = patienceAfter(afterBad, first, o);
      expect(afterGood).toEqual({ waited: 0, best: first });
      expect(patienceAfter(afterGood, value, o)).toEqual({ waited: 1, best: first });
      expect(patienceAfter(patienceAfter(afterGood, value, o), better, o)).toEqual({ waited: 0, best: better });
    });

    test.each(unusable)('ReduceLROnPlateau, %d', (value) => {
      const o = {
        mode,
        factor: 0.1,
        patience: 5,
        threshold: 0,
        relative: true,
        cooldown: 0,
        floor: 0,
        smallestDecrease: 0,
      };
      const afterBad = plateauAfter(undefined, value, o);
      expect(afterBad).toEqual({ factor: 1, best: null, bad: 1, cooldown: 0 });
      expect(plateauAfter(afterBad, first, o)).toMatchObject({ best: first, bad: 0 });
    });
  },
);
