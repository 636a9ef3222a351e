import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Config } from '@nautil/config';
import { openTensors, writeSafetensors } from '@nautil/formats';
import { classifierWeights, ModelWeights } from '@nautil/model';
import type { Precision } from '@nautil/tensorflow';
import { readGoldenJson } from '@nautil/testing';
import { openTokenCache } from '@nautil/tokenization';
import { batchesOf, microBatchesOf } from './batches.js';
import { openInitialClassifier } from './encoder-source.js';
import { GradientsNotFinite, LossNotFinite } from './errors.js';
import type { TrainJob } from './job.js';
import type { LossScale } from './loss-scale.js';
import type { OptimizerConfig } from './optimizer.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainWithInterruptions } from './testing/train-with-interruptions.js';
import { TrainStep } from './train-step.js';
import { parseState } from './training-state.js';

// The processor computes in float16 here as a GPU does, but slowly.
let tiny: TinyRun;
beforeAll(async () => {
  process.env['NAUTIL_FLOAT16_ON_CPU'] = '1';
  tiny = await openTinyRun();
});
afterAll(async () => {
  delete process.env['NAUTIL_FLOAT16_ON_CPU'];
  await tiny.remove();
});

/** Gradients of about 1, multiplied by this, overflow float16. */
const tooLarge = 2 ** 40;

interface Model {
  step: TrainStep;

  /** The weights and the optimizer's state, of each device. */
  state: () => Promise<Map<string, Float32Array>>;
  batch: (index: number, parts: number) => ReturnType<typeof microBatchesOf>;
  close: () => void;
}

/** A small model on devices of the processor. */
async function openModel(o: {
  optim?: OptimizerConfig;
  precision?: Precision;
  devices?: number;
  clip?: number;
}): Promise<Model> {
  const { optim, precision = 'float16', devices: count = 1, clip = 0 } = o;
  const { config, encoder: source, trainCache, numClasses } = await tiny.job('unused');
  const head = { numClasses, numOutputLayers: 2 };
  const initial = await openInitialClassifier(source, head, 1);
  const { encoder } = initial;
  const devices = Array.from({ length: count }, (_, index) => `/device:CPU:${index}`);
  const weights = new ModelWeights({ specs: classifierWeights({ encoder, ...head }), devices });
  const step = new TrainStep(weights, {
    shape: { encoder, head, precision },
    optim: optim ?? config.model.optim,
    clip,
    seed: 7,
    headDropout: 0.2,
  });
  await weights.load(initial.read, initial.file);
  await step.loadSlots();
  await initial.close();
  const cache = openTokenCache(trainCache);
  const batches = batchesOf(cache, {
    dataset: { ...config.model.train_ds, batch_size: 7 },
    limit: 4,
    nautil: config.nautil,
    maxPositions: 32,
  });
  return {
    step,
    async state() {
      const variables = [...weights.used.map(({ name }) => weights.variable(name)), ...step.slots];
      const values = new Map<string, Float32Array>();
      for (const device of devices.keys()) {
        const read = await weights.run({ fetches: variables.map((variable) => weights.readOf(variable, device)) });
        for (const [index, { name }] of variables.entries()) values.set(`${name} on ${device}`, read[index]!);
      }
      return values;
    },
    batch: (index, parts) => microBatchesOf(batches.at(0, index), { count: parts * count, share: 1 }),
    close() {
      weights.close();
      cache.close();
    },
  };
}

const bytesOf = (values: ReadonlyMap<string, Float32Array>): Map<string, string> =>
  new Map(Array.from(values, ([name, { buffer }]) => [name, Buffer.from(buffer).toString('base64')]));

const optimizers: OptimizerConfig[] = [
  { name: 'adam' },
  { name: 'adam', weight_decay: 0.1 },
  { name: 'adamw', weight_decay: 0.1 },
  { name: 'sgd' },
  { name: 'sgd', momentum: 0.9, dampening: 0.5, weight_decay: 0.1 },
  { name: 'adagrad', lr_decay: 0.1 },
  { name: 'adadelta' },
  { name: 'adamax' },
  { name: 'rmsprop', momentum: 0.9, centered: true },
] as OptimizerConfig[];

describe.each(optimizers)('with the optimizer %j', (optim) => {
  test.each([
    ['on one device', 1, 1],
    ['on two devices, with accumulated parts', 2, 2],
  ])('a step that overflows changes no bit, and the next is as if it had not been, %s', async (_, devices, parts) => {
    const { step, state, batch, close } = await openModel({ optim, devices });
    const scalars = { lr: 1e-3, lossScale: 1024 };
    expect(await step.run(batch(0, parts), { ...scalars, step: 0 })).toMatchObject({ isSkipped: false });
    const before = bytesOf(await state());
    const skipped = await step.run(batch(1, parts), { ...scalars, step: 1, lossScale: tooLarge });
    expect(skipped).toMatchObject({ isSkipped: true });
    expect(skipped.losses.every(Number.isFinite)).toBe(true);
    expect(bytesOf(await state())).toEqual(before);
    expect(await step.run(batch(2, parts), { ...scalars, step: 2, updates: 1 })).toMatchObject({ isSkipped: false });
    const after = bytesOf(await state());
    expect(after).not.toEqual(before);
    close();

    const other = await openModel({ optim, devices });
    await other.step.run(other.batch(0, parts), { ...scalars, step: 0 });
    await other.step.run(other.batch(2, parts), { ...scalars, step: 2, updates: 1 });
    expect(bytesOf(await other.state())).toEqual(after);
    other.close();
  });
});

test('an overflow on one of two devices skips the step on both', async () => {
  const { step, state, batch, close } = await openModel({ devices: 2 });
  const parts = batch(0, 1);
  expect(parts).toHaveLength(2);
  // One row has a gradient beyond the largest number of float16.
  parts[1]!.rowWeights.fill(2 ** 30);
  const before = bytesOf(await state());
  expect(await step.run(parts, { step: 0, lr: 1e-3, lossScale: 65536 })).toMatchObject({ isSkipped: true });
  expect(bytesOf(await state())).toEqual(before);
  close();
});

test('the norm that clips is that of the gradients without the scale, and is absent when the step is skipped', async () => {
  const normWith = async (precision: Precision, lossScale: number): Promise<number | undefined> => {
    const { step, batch, close } = await openModel({ precision, clip: 0.01 });
    const { gradNorm } = await step.run(batch(0, 1), { step: 0, lr: 1e-3, lossScale });
    close();
    return gradNorm;
  };
  const reference = await normWith('float32', 1);
  for (const scale of [2 ** 4, 2 ** 10]) expect((await normWith('float16', scale))! / reference!).toBeCloseTo(1, 2);
  expect(await normWith('float16', tooLarge)).toBeUndefined();
});

test('clipping bounds the update, whatever the scale', async () => {
  const moved = async (lossScale: number): Promise<number> => {
    const { step, state, batch, close } = await openModel({ optim: { name: 'sgd' }, clip: 0.01 });
    const before = await state();
    await step.run(batch(0, 1), { step: 0, lr: 1, lossScale });
    const after = await state();
    close();
    let squares = 0;
    for (const [name, values] of after)
      squares += values.reduce((sum, value, at) => sum + (value - before.get(name)![at]!) ** 2, 0);
    return Math.sqrt(squares);
  };
  for (const scale of [1, 2 ** 10]) expect(await moved(scale)).toBeCloseTo(0.01, 4);
});

test('a format without a loss scale ignores the scale, and skips no step', async () => {
  const { step, batch, close } = await openModel({ precision: 'bfloat16' });
  expect(step.scalesLosses).toBe(false);
  expect(await step.run(batch(0, 1), { step: 0, lr: 1e-3, lossScale: tooLarge })).toMatchObject({ isSkipped: false });
  close();
});

interface Trained {
  losses: number[];
  learningRates: number[];
  warnings: string[];
  arithmetic: string | undefined;
  lastWeights: string;
  weights: Map<string, Float32Array>;

  /** In the last checkpoint. */
  lossScale: LossScale | undefined;
}

/** A job in a precision, on the processor. */
async function jobIn(
  precision: Config['trainer']['precision'],
  name: string,
  overrides: string[] = [],
): Promise<TrainJob> {
  const job = await tiny.job(name, overrides);
  // Not as an override: on a processor, the configuration reads 16 as bf16-mixed.
  return { ...job, config: { ...job.config, trainer: { ...job.config.trainer, precision } } };
}

/** The state of the loss scale in the newest checkpoint of a training. */
async function lossScaleIn(folder: string): Promise<LossScale | undefined> {
  const checkpoints = join(folder, 'checkpoints');
  const newest = (await readdir(checkpoints)).sort().at(-1)!;
  const source = await openTensors(join(checkpoints, newest));
  const { lossScale } = parseState(source.metadata['progress'], newest);
  await source.close();
  return lossScale;
}

/** Trains to the end; interrupts and resumes the run after each of the steps `interruptAt`. */
async function train(job: TrainJob, interruptAt: number[] = []): Promise<Trained> {
  const { result, events } = await trainWithInterruptions(job, interruptAt);
  const { lastWeights } = result;
  const source = await openTensors(lastWeights);
  const weights = new Map<string, Float32Array>();
  for (const weight of source.names()) weights.set(weight, await source.readFloat32(weight));
  await source.close();
  return {
    losses: events.flatMap((event) => (event.type === 'step' ? [event.loss] : [])),
    learningRates: events.flatMap((event) => (event.type === 'step' ? [event.lr] : [])),
    warnings: events.flatMap((event) => (event.type === 'warning' ? [event.message] : [])),
    arithmetic: events.flatMap((event) => (event.type === 'start' ? [event.arithmetic] : [])).at(-1),
    lastWeights,
    weights,
    lossScale: await lossScaleIn(job.folder),
  };
}

/** Ten steps, of which each computes twelve rows. */
const rows = ['model.train_ds.batch_size=12'];

/** Precision, and how far a loss may be from that of float32: seven times the largest difference in docs/performance.md and more. */
const tolerances = [
  // Numbers have 8 significant bits, so that a rounding changes a value by up to 0.2 %.
  ['bf16-mixed', 0.001],
  // 11 significant bits: an eighth of that.
  ['16-mixed', 0.0001],
] as const;

test.each(tolerances)(
  'the losses in %s follow those in float32 within %d, for three seeds',
  async (precision, tolerance) => {
    for (const seed of [1, 2, 3]) {
      const overrides = [...rows, `nautil.seed=${seed}`];
      const reference = await train(await jobIn(32, `float32 beside ${precision} ${seed}`, overrides));
      const { losses } = await train(await jobIn(precision, `curve in ${precision} ${seed}`, overrides));
      expect(losses).toHaveLength(10);
      for (const [step, loss] of reference.losses.entries())
        expect(Math.abs(losses[step]! - loss)).toBeLessThanOrEqual(tolerance);
    }
  },
);

test('the run states that it computes in float16, and warns that a processor is slow', async () => {
  const { arithmetic, warnings, lossScale } = await train(await jobIn('16-mixed', 'stated', rows));
  expect(arithmetic).toMatch(/ threads, float16$/);
  expect(warnings).toEqual(['trainer.precision is 16-mixed, and a processor has no fast float16: the steps are slow']);
  expect(lossScale).toEqual({ scale: 65536, goodSteps: 10, skippedSteps: 0 });
});

/** Ranges of steps without an update, from the warnings. An overflow may recur later in the run, depending on the data. */
const skipsIn = (warnings: readonly string[]): { first: number; last: number }[] =>
  warnings.flatMap((message) => {
    const [, first, last = first] = /^steps? (\d+)(?: to (\d+))? (?:was|were) skipped/.exec(message) ?? [];
    return first === undefined ? [] : [{ first: Number(first), last: Number(last) }];
  });

/** The mean loss of an epoch of five steps. */
const ofEpoch = (losses: readonly number[], epoch: number): number =>
  losses.slice(5 * epoch, 5 * epoch + 5).reduce((sum, loss) => sum + loss, 0) / 5;

describe('a run whose first loss scale is too large', () => {
  const scaled = [...rows, 'nautil.loss_scale=1e9', 'trainer.max_epochs=4', 'trainer.gradient_clip_val=1.0'];
  const withScale = async (name: string, more: string[] = []): Promise<TrainJob> => {
    const job = await jobIn('16-mixed', name, [...scaled, ...more]);
    return { ...job, digests: { data: 'tiny' } };
  };
  let whole: Trained;
  beforeAll(async () => (whole = await train(await withScale('too large'))));

  test('skips its first steps, halves the scale in each, and then trains', async () => {
    const { scale, skippedSteps } = whole.lossScale!;
    expect(skippedSteps).toBeGreaterThan(2);
    expect(scale).toBe(1e9 / 2 ** skippedSteps);
    const skips = skipsIn(whole.warnings);
    expect(skips[0]).toMatchObject({ first: 1 });
    expect(whole.losses).toHaveLength(20);
    expect(whole.lossScale!.goodSteps).toBe(20 - skips.at(-1)!.last);
    expect(ofEpoch(whole.losses, 3)).toBeLessThan(ofEpoch(whole.losses, 0));
  });

  test('warns once of skipped steps that follow one another, with the scale and the number of all so far', () => {
    let total = 0;
    const expected = skipsIn(whole.warnings).map(({ first, last }) => {
      total += last - first + 1;
      const steps = first === last ? `step ${first} was` : `steps ${first} to ${last} were`;
      return `${steps} skipped, because gradients overflowed float16: the loss scale is ${1e9 / 2 ** total} now, and ${total} steps of the run so far had no update`;
    });
    expect(whole.warnings.filter((message) => message.includes('skipped'))).toEqual(expected);
    expect(total).toBe(whole.lossScale!.skippedSteps);
  });

  test('has the learning rates of a run that skips nothing, as in Lightning', async () => {
    const { learningRates } = await train(await jobIn(32, 'rates', ['trainer.max_epochs=4', ...rows]));
    expect(whole.learningRates).toEqual(learningRates);
  });

  test('ends with the same bytes and scale when it is interrupted among the skipped steps, and after them', async () => {
    const resumed = await train(await withScale('too large, resumed'), [1, 2, 13]);
    expect(resumed.lossScale).toEqual(whole.lossScale);
    expect(await readFile(resumed.lastWeights)).toEqual(await readFile(whole.lastWeights));
  });

  test.each([2, 3])(
    'skips about as many steps on %i devices, each of which sums a part of the rows in float16',
    async (devices) => {
      const job = await withScale(`too large on ${devices}`, [
        `trainer.devices=${devices}`,
        `model.train_ds.batch_size=${12 / devices}`,
      ]);
      const { losses, lossScale, warnings } = await train(job);
      const fewer = whole.lossScale!.skippedSteps - lossScale!.skippedSteps;
      expect(fewer).toBeGreaterThanOrEqual(0);
      // A part is smaller by the number of devices at most.
      expect(2 ** fewer).toBeLessThan(2 * devices);
      expect(lossScale!.goodSteps).toBe(20 - skipsIn(warnings).at(-1)!.last);
      expect(ofEpoch(losses, 3)).toBeLessThan(ofEpoch(losses, 0));
    },
  );
});

test('a run whose last steps are skipped warns of them at its end', async () => {
  const job = await jobIn('16-mixed', 'all skipped', [...rows, 'nautil.loss_scale=1e12', 'trainer.max_steps=3']);
  const { warnings, lossScale, weights } = await train(job);
  expect(lossScale).toEqual({ scale: 1.25e11, goodSteps: 0, skippedSteps: 3 });
  expect(warnings.at(-1)).toMatch(/^steps 1 to 3 were skipped, .+ and 3 steps of the run so far had no update$/);
  const initial = await openInitialClassifier(job.encoder, { numClasses: job.numClasses, numOutputLayers: 2 }, 42);
  for (const [name, values] of weights) expect(values).toEqual(await initial.read(name));
  await initial.close();
});

test('a loss that is not finite is an error and no skipped step, because no scale changes it', async () => {
  const job = await jobIn('16-mixed', 'diverges', ['model.optim.lr=1e30', 'model.optim.sched=null']);
  const failure = await train(job).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(LossNotFinite);
  expect((failure as LossNotFinite).hint).toContain(
    "values of the model exceed float16's largest, 65504: set trainer.precision to bf16-mixed",
  );
});

test('gradients that overflow with every scale are an error', async () => {
  const job = await jobIn('16-mixed', 'exhausted', [...rows, 'nautil.loss_scale=1e-3']);
  const source = await openTensors(join(job.encoder.path!, 'model.safetensors'));
  const tensors = await Promise.all(
    source.names().map(async (name) => {
      const data = await source.readFloat32(name);
      // The loss is large, but finite, since the head computes in float32. The layer before it gets gradients of 10¹² and more.
      if (name === 'encoder.layer.1.output.LayerNorm.weight') data.fill(1e14);
      return { name, dtype: 'F32', shape: source.info(name).shape, data } as const;
    }),
  );
  await source.close();
  const path = join(tiny.folder, 'huge.safetensors');
  await writeSafetensors(path, tensors);
  const config = readGoldenJson('bert-tiny-uncased/config.json') as Record<string, unknown>;
  const failure = await train({ ...job, encoder: { path, config } }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(GradientsNotFinite);
  expect((failure as GradientsNotFinite).message).toMatch(
    /^the gradients at step 5 overflow float16 even with a loss scale of 0\.0000625/,
  );
  expect((failure as GradientsNotFinite).setting).toBe('trainer.precision=bf16-mixed');
});
