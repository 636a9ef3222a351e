import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TrainEvent } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { classifierWeights, ModelWeights } from '@nautil/model';
import { readGoldenJson } from '@nautil/testing';
import { openTokenCache } from '@nautil/tokenization';
import { batchesOf, microBatchesOf } from './batches.js';
import { openInitialClassifier } from './encoder-source.js';
import { TrainingInterrupted } from './errors.js';
import type { TrainJob } from './job.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainClassifier } from './train.js';
import type { TrainControl } from './train-control.js';
import { TrainStep } from './train-step.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

/** Rows of a batch of all devices together: a multiple of 2, 3 and 4. */
const rows = 12;

/** A gradient of exactly zero in theory, which Adam turns into noise (golden/README.md). */
const isComparable = (name: string): boolean => !name.endsWith('attention.self.key.bias');

interface Trained {
  losses: number[];
  evaluations: number[];
  warnings: string[];
  weights: Map<string, Float32Array>;
}

/** Trains to the end; with `interruptAt`, stops after that step, and goes on with the job that `resume` returns. */
async function train(job: TrainJob, o: { interruptAt?: number; resume?: TrainJob } = {}): Promise<Trained> {
  const events: TrainEvent[] = [];
  const control: TrainControl = {};
  const onProgress = (event: TrainEvent): void => {
    events.push(event);
    if (event.type === 'step' && event.step === o.interruptAt) control.stop = 'interrupt';
  };
  let result;
  try {
    result = await trainClassifier(job, { onProgress }, control);
  } catch (error) {
    if (!(error instanceof TrainingInterrupted) || !o.resume) throw error;
    result = await trainClassifier(o.resume, { onProgress });
  }
  const source = await openTensors(result.lastWeights);
  const weights = new Map<string, Float32Array>();
  for (const name of source.names()) weights.set(name, await source.readFloat32(name));
  await source.close();
  return {
    losses: events.flatMap((event) => (event.type === 'step' ? [event.loss] : [])),
    evaluations: events.flatMap((event) => (event.type === 'eval' ? [event.loss] : [])),
    warnings: events.flatMap((event) => (event.type === 'warning' ? [event.message] : [])),
    weights,
  };
}

/** A job on a number of devices, each of which computes an equal share of a batch of `rows`. */
async function jobOn(devices: number, name: string, overrides: string[], dropout: boolean): Promise<TrainJob> {
  const job = await tiny.job(`${name} on ${devices}`, [
    `trainer.devices=${devices}`,
    `model.train_ds.batch_size=${rows / devices}`,
    ...overrides,
    ...(dropout ? [] : ['model.classifier_head.fc_dropout=0']),
  ]);
  const config = readGoldenJson('bert-tiny-uncased/config.json') as Record<string, unknown>;
  const off = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  // One digest, as for runs that differ in devices and batch size only.
  return {
    ...job,
    digests: { data: 'tiny' },
    encoder: { ...job.encoder, config: { ...config, ...(dropout ? {} : off) } },
  };
}

function expectSameTrajectory(actual: Trained, expected: Trained): void {
  expect(actual.losses).toHaveLength(expected.losses.length);
  for (const [step, loss] of expected.losses.entries())
    expect(Math.abs(actual.losses[step]! - loss)).toBeLessThanOrEqual(1e-5);
  for (const [index, loss] of expected.evaluations.entries())
    expect(Math.abs(actual.evaluations[index]! - loss)).toBeLessThanOrEqual(1e-5);
  for (const [name, values] of expected.weights) {
    if (!isComparable(name)) continue;
    const other = actual.weights.get(name)!;
    const worst = values.reduce((most, value, at) => Math.max(most, Math.abs(value - other[at]!)), 0);
    if (!(worst <= 1e-4)) throw new Error(`${name} differs by ${worst}`);
  }
}

const variants: [string, string[], boolean][] = [
  ['without dropout', [], false],
  ['with dropout', [], true],
  ['with accumulated batches, of which the last group is short', ['trainer.accumulate_grad_batches=3'], true],
  ['with clipped gradients', ['trainer.gradient_clip_val=0.05'], true],
  ['with AdamW and weight decay', ['model.optim.name=adamw', 'model.optim.weight_decay=0.1'], true],
  ['with SGD', ['model.optim.name=sgd', 'model.optim.lr=0.05', 'model.optim.momentum=0.9'], false],
  ['with a short last batch', ['trainer.limit_train_batches=1.0'], true],
];

describe.each(variants)('a run %s', (name, overrides, dropout) => {
  let one: Trained;
  beforeAll(async () => (one = await train(await jobOn(1, name, overrides, dropout))));

  test.each([2, 3, 4])('takes the same steps on %i devices, with the same rows in a batch', async (devices) => {
    expectSameTrajectory(await train(await jobOn(devices, name, overrides, dropout)), one);
  });
});

test('class weights give the same steps on several devices, whose rows have other classes', async () => {
  const weighted = async (devices: number): Promise<TrainJob> => {
    const job = await jobOn(devices, 'weighted', [], true);
    return { ...job, classWeights: Array.from({ length: job.numClasses }, (_, label) => 0.5 + label) };
  };
  expectSameTrajectory(await train(await weighted(3)), await train(await weighted(1)));
});

test.each([
  [2, 1],
  [1, 3],
  [2, 4],
])('a run that is resumed on other devices, %i and then %i, goes on as it began, and warns', async (first, second) => {
  const name = `resumed ${first} ${second}`;
  const before = await jobOn(first, name, [], true);
  // The configuration of the run has another number of devices, and the same batch size.
  const after = await jobOn(first, name, [`trainer.devices=${second}`], true);
  const resumed = await train(before, { interruptAt: 4, resume: { ...after, folder: before.folder } });
  expectSameTrajectory(resumed, await train(await jobOn(1, `${name} whole`, [], true)));
  expect(resumed.warnings.join('\n')).toContain(
    `the checkpoint was made on ${first === 1 ? '1 device' : `${first} devices`}, and ${second === 1 ? '1 device trains' : `${second} devices train`} now: a batch keeps its ${rows} rows`,
  );
});

test('a run on several devices that is interrupted and resumed ends with the same bytes', async () => {
  const whole = await train(await jobOn(3, 'bytes', [], true));
  const job = await jobOn(3, 'bytes resumed', [], true);
  const resumed = await train(job, { interruptAt: 4, resume: job });
  expect(resumed.weights).toEqual(whole.weights);
});

test('data that does not fill a batch of all devices is an error, not a training without steps', async () => {
  const job = await jobOn(4, 'too few', ['model.train_ds.batch_size=500', 'model.train_ds.drop_last=true'], true);
  await expect(trainClassifier(job)).rejects.toThrow(/do not fill one batch of 2000 rows, of all devices together/);
});

describe.each([2, 3, 4])('on %i devices', (count) => {
  test.each([1, 2, 5])('the copies of all weights keep the same bits, with %i parts for each device', async (parts) => {
    const { config, encoder: source, trainCache, numClasses } = await tiny.job('unused');
    const head = { numClasses, numOutputLayers: 2 };
    const initial = await openInitialClassifier(source, head, 1);
    const { encoder } = initial;
    const devices = Array.from({ length: count }, (_, index) => `/device:CPU:${index}`);
    const weights = new ModelWeights({ specs: classifierWeights({ encoder, ...head }), devices });
    const { optim } = config.model;
    const step = new TrainStep(weights, { shape: { encoder, head }, optim, clip: 0.5, seed: 7, headDropout: 0.2 });
    await weights.load(initial.read, initial.file);
    await step.loadSlots();
    await initial.close();
    const cache = openTokenCache(trainCache);
    // Seven rows: no number of devices divides them, and some devices get none in the last round.
    const dataset = { ...config.model.train_ds, batch_size: 7 };
    const batches = batchesOf(cache, { dataset, limit: 3, nautil: config.nautil, maxPositions: 32 });
    for (let index = 0; index < 3; index++) {
      const microBatches = microBatchesOf(batches.at(0, index), { count: parts * count, share: 1 });
      const { losses } = await step.run(microBatches, { step: index, lr: 1e-3 });
      expect(losses).toHaveLength(microBatches.length);
    }
    const variables = [...weights.used.map(({ name }) => weights.variable(name)), ...step.slots];
    for (const variable of variables) {
      const fetches = devices.map((_, device) => weights.readOf(variable, device));
      const [first, ...others] = await weights.run({ fetches });
      for (const other of others) expect(Buffer.from(other.buffer).equals(Buffer.from(first!.buffer))).toBe(true);
    }
    weights.close();
    cache.close();
  });
});
