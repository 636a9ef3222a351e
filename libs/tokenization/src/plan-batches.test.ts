import { describe, expect, test } from '@jest/globals';
import { planBatches } from './plan-batches.js';

const rows = 4000;
const batchSize = 8;
const lengths = Uint16Array.from({ length: rows }, (_, row) => 3 + ((row * 7919) % 120));

/** The lengths, and how many of them were read. */
function counted(): { lengths: Uint16Array; reads: () => number } {
  let reads = 0;
  const watched = new Proxy(lengths, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1;
      return Reflect.get(target, key) as unknown;
    },
  });
  return { lengths: watched, reads: () => reads };
}

const options = { batchSize, shuffle: true, dropLast: false, seed: 5 };

describe.each([true, false])('with bucketByLength %s', (bucketByLength) => {
  test.each([10, 1_000_000])(
    'the batch of step %i is found without one before it, from its own window alone',
    (step) => {
      const { lengths: watched, reads } = counted();
      const plan = planBatches({ ...options, lengths: watched, bucketByLength });
      const [epoch, index] = [Math.floor(step / plan.batchesPerEpoch), step % plan.batchesPerEpoch];
      const batch = plan.rowsAt(epoch, index);
      expect(batch).toHaveLength(batchSize);
      expect(reads()).toBe(bucketByLength ? 50 * batchSize : 0);
    },
  );

  test('a batch does not depend on which batches were requested before it', () => {
    const walked = planBatches({ ...options, lengths, bucketByLength });
    for (let epoch = 0; epoch < 3; epoch++) {
      for (let index = 0; index < walked.batchesPerEpoch; index++) {
        const fresh = planBatches({ ...options, lengths, bucketByLength });
        const batch = walked.rowsAt(epoch, index);
        if (index % 37 === 0) expect(fresh.rowsAt(epoch, index)).toEqual(batch);
      }
    }
  });
});
