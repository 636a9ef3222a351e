import { describe, expect, test } from '@jest/globals';
import { activationNames } from './layers/activation.js';
import { computeBatches, type TinyBatch, tinyEncoders } from './testing/compute-batches.js';

/** Of several shapes. */
const batches: TinyBatch[] = [
  { rows: [[5, 6, 7, 8, 9]] },
  {
    rows: [
      [5, 6, 1],
      [7, 1, 1],
      [9, 8, 7],
    ],
  },
  {
    rows: [
      [5, 1, 1, 1, 1, 1, 1, 1],
      [5, 6, 7, 8, 9, 10, 11, 12],
    ],
  },
];

describe('one graph with free sizes gives the bytes of a graph for each shape', () => {
  test.each(
    tinyEncoders.flatMap((config) =>
      (['float32', 'bfloat16'] as const).map((precision) => ({ family: config.model_type, config, precision })),
    ),
  )('for the family $family in $precision', async ({ config, precision }) => {
    const free = await computeBatches(config, batches, { areFree: true, precision });
    const fixed = await computeBatches(config, batches, { areFree: false, precision });
    expect(free.addedNodes).toBe(0);
    expect(fixed.addedNodes).toBeGreaterThan(0);
    expect(free.values.flat().some((values) => values.some((value) => value !== 0))).toBe(true);
    expect(free.values).toEqual(fixed.values);
  });

  test('for a vocabulary whose size is a multiple of a stand-in', async () => {
    const config = { model_type: 'bert', vocab_size: 20_014 };
    const free = await computeBatches(config, batches, { areFree: true });
    expect(free.values).toEqual((await computeBatches(config, batches, { areFree: false })).values);
  });

  test.each(activationNames)('for the activation %s', async (activation) => {
    const config = { model_type: 'bert', hidden_act: activation };
    const free = await computeBatches(config, batches, { areFree: true });
    expect(free.values).toEqual((await computeBatches(config, batches, { areFree: false })).values);
  });
});
