import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readGoldenJson, testAccelerator, testIf } from '@nautil/testing';
import type { TrainJob } from './job.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainWithInterruptions } from './testing/train-with-interruptions.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

interface Trained {
  losses: number[];
  evaluations: number[];
  warnings: string[];
  arithmetic: string | undefined;
  weights: Buffer;
}

/** Trains to the end; interrupts and resumes the run after each of the steps `interruptAt`. */
async function train(job: TrainJob, interruptAt: number[] = []): Promise<Trained> {
  const { result, events } = await trainWithInterruptions(job, interruptAt);
  const { lastWeights } = result;
  return {
    losses: events.flatMap((event) => (event.type === 'step' ? [event.loss] : [])),
    evaluations: events.flatMap((event) => (event.type === 'eval' ? [event.loss] : [])),
    warnings: events.flatMap((event) => (event.type === 'warning' ? [event.message] : [])),
    arithmetic: events.flatMap((event) => (event.type === 'start' ? [event.arithmetic] : [])).at(-1),
    weights: await readFile(lastWeights),
  };
}

/** A short run of an encoder with one layer, since XLA takes seconds to compile each. The last batch is short, so that rows are added. */
async function jobOf(name: string, overrides: string[]): Promise<TrainJob> {
  const job = await tiny.job(name, [
    'nautil.batches.length_multiple=32',
    'model.train_ds.batch_size=60',
    'trainer.limit_train_batches=1.0',
    'trainer.max_epochs=1',
    'trainer.gradient_clip_val=1.0',
    ...overrides,
  ]);
  const config = readGoldenJson('bert-tiny-uncased/config.json') as Record<string, unknown>;
  return { ...job, encoder: { ...job.encoder, config: { ...config, num_hidden_layers: 1 } } };
}

function expectSameSteps(actual: Trained, expected: Trained): void {
  expect(actual.losses).toHaveLength(expected.losses.length);
  for (const [step, loss] of expected.losses.entries())
    expect(Math.abs(actual.losses[step]! - loss)).toBeLessThanOrEqual(1e-5);
  for (const [index, loss] of expected.evaluations.entries())
    expect(Math.abs(actual.evaluations[index]! - loss)).toBeLessThanOrEqual(1e-5);
}

test('compiled steps are those of a run without XLA, to the bit those of a resumed run, and their lengths are reported', async () => {
  const usual = await train(await jobOf('usual', []));
  const compiled = await train(await jobOf('compiled', ['trainer.compile=true']));
  expectSameSteps(compiled, usual);
  expect(compiled.weights.equals(usual.weights)).toBe(false); // else nothing was compiled
  expect(compiled.arithmetic).toBe(`${usual.arithmetic}, XLA`);
  expect(compiled.warnings).toEqual([
    'trainer.compile: XLA compiles the training step for one length of a batch (32), each when it first occurs',
  ]);
  const resumed = await train(await jobOf('resumed', ['trainer.compile=true']), [2]);
  expect(resumed.weights.equals(compiled.weights)).toBe(true);
}, 180_000);

testIf(
  testAccelerator() === 'cpu',
  'a machine with one GPU has no second one',
  'on two devices, the gradients of compiled passes are summed as others are',
  async () => {
    const overrides = ['trainer.devices=2', 'model.train_ds.batch_size=30'];
    const usual = await train(await jobOf('usual on two', overrides));
    expectSameSteps(await train(await jobOf('compiled on two', [...overrides, 'trainer.compile=true'])), usual);
  },
  180_000,
);
