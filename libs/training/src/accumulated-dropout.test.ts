import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainWithInterruptions } from './testing/train-with-interruptions.js';

let tiny: TinyRun;
let expected: number[];
beforeAll(async () => {
  tiny = await openTinyRun();
  expected = await losses({ batches: 1 });
});
afterAll(() => tiny.remove());

const rowsPerStep = 12;

/** The losses of the first steps, of the same rows in the same order, with the encoder's and the head's dropout. */
async function losses({ batches, devices = 1 }: { batches: number; devices?: number }): Promise<number[]> {
  const job = await tiny.job(`${batches} batches on ${devices}`, [
    `model.train_ds.batch_size=${rowsPerStep / batches / devices}`,
    `trainer.accumulate_grad_batches=${batches}`,
    `trainer.limit_train_batches=${3 * batches}`,
    `trainer.devices=${devices}`,
    'trainer.max_epochs=1',
    'model.train_ds.shuffle=false',
    'nautil.batches.length_multiple=32', // the masks of a row depend on the length of its batch
  ]);
  const { events } = await trainWithInterruptions(job);
  return events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
}

test.each([[{ batches: 2 }], [{ batches: 3 }], [{ batches: 12 }], [{ batches: 3, devices: 2 }]])(
  'the rows of a step draw the dropout of their place in the step, in accumulated batches too: %j',
  async (o) => {
    const actual = await losses(o);
    expect(expected).toHaveLength(3);
    expect(actual).toHaveLength(expected.length);
    actual.forEach((loss, step) => expect(Math.abs(loss - expected[step]!)).toBeLessThanOrEqual(1e-5));
  },
);
