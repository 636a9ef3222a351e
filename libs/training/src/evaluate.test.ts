import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Confusion } from '@nautil/metrics';
import { classifierWeights, Forward, ModelWeights } from '@nautil/model';
import { type Batch, openTokenCache, type TokenCache } from '@nautil/tokenization';
import { batchesOf, type BatchSource } from './batches.js';
import { argmax, crossEntropy } from './cross-entropy.js';
import { type InitialClassifier, openInitialClassifier } from './encoder-source.js';
import { evaluate } from './evaluate.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';

let tiny: TinyRun;
let cache: TokenCache;
let initial: InitialClassifier;
let weights: ModelWeights;
let forward: Forward;
let numClasses: number;
let computed: Batch[];

const recording = {
  run: (batch: Batch): Promise<Float32Array> => {
    computed.push(batch);
    return forward.run(batch);
  },
};

beforeAll(async () => {
  tiny = await openTinyRun();
  const job = await tiny.job('evaluated');
  ({ numClasses } = job);
  const head = { numClasses, numOutputLayers: job.config.model.classifier_head.num_output_layers };
  initial = await openInitialClassifier(job.encoder, head, 1);
  weights = new ModelWeights({ specs: classifierWeights({ encoder: initial.encoder, ...head }) });
  await weights.load(initial.read, initial.file);
  forward = new Forward(weights, { encoder: initial.encoder, head });
  cache = openTokenCache(job.trainCache);
});
afterAll(async () => {
  weights.close();
  cache.close();
  await initial.close();
  await tiny.remove();
});

async function batchesWith(batchSize: number, overrides: string[] = []): Promise<BatchSource> {
  const { model, trainer, nautil } = (await tiny.job('evaluated', ['trainer.limit_val_batches=1.0', ...overrides]))
    .config;
  const dataset = { ...model.validation_ds, batch_size: batchSize };
  return batchesOf(cache, { dataset, limit: trainer.limit_val_batches, nautil, maxPositions: 32 });
}

/** NeMo's evaluation: the batches in the order of the file, and the unweighted mean of their losses. */
async function inFileOrder(batches: BatchSource, classWeights?: number[]) {
  const confusion = new Confusion(numClasses);
  let losses = 0;
  let positions = 0;
  for (let index = 0; index < batches.batchesPerEpoch; index++) {
    const batch = batches.at(0, index);
    const logits = await forward.run(batch);
    losses += crossEntropy(logits, batch.labels, classWeights);
    for (let row = 0; row < batch.size; row++)
      confusion.add(batch.labels[row]!, argmax(logits.subarray(row * numClasses, (row + 1) * numClasses)));
    positions += batch.ids.length;
  }
  return { loss: losses / batches.batchesPerEpoch, report: confusion.report(undefined), positions };
}

describe.each([
  ['a batch size that divides no number of rows', 7, []],
  ['a limit', 8, ['trainer.limit_val_batches=3']],
  ['a shuffled data set', 8, ['model.validation_ds.shuffle=true']],
  ['a data set in one batch', 1000, []],
])('an evaluation in length order, with %s,', (_, batchSize, overrides) => {
  test.each([undefined, [0.5, 2, 1].slice(0, 3)])(
    'has NeMo’s mean of batch losses, with class weights %p',
    async (all) => {
      computed = [];
      const classWeights = all?.slice(0, numClasses);
      const batches = await batchesWith(batchSize, overrides);
      const expected = await inFileOrder(batches, classWeights);
      const { loss, report } = await evaluate(recording, batches, { numClasses, classWeights });
      expect(Math.abs(loss - expected.loss)).toBeLessThan(2e-6);
      expect(report).toEqual(expected.report);
      const lengths = computed.map(({ length }) => length);
      expect(lengths).toEqual(lengths.toSorted((a, b) => b - a));
      const positions = computed.reduce((sum, { ids }) => sum + ids.length, 0);
      expect(positions).toBeLessThanOrEqual(expected.positions);
    },
  );
});

test('with nemo_padding, where a row may depend on its batch, the batches that are computed are those of the file', async () => {
  computed = [];
  const batches = await batchesWith(8, ['nautil.batches.nemo_padding=true']);
  const expected = await inFileOrder(batches);
  const { loss } = await evaluate(recording, batches, { numClasses });
  expect(loss).toBe(expected.loss);
  expect(computed.map(({ rows }) => [...rows])).toEqual(
    Array.from({ length: batches.batchesPerEpoch }, (_, index) => [...batches.rowsAt(0, index)]),
  );
});

test('when one of several devices fails, the others have ended before the error is thrown', async () => {
  const batches = await batchesWith(8);
  let running = 0;
  const failing = {
    parallelism: 3,
    async run(batch: Parameters<typeof forward.run>[0]) {
      running += 1;
      try {
        if (running === 2) throw new Error('the device is lost');
        return await forward.run(batch);
      } finally {
        running -= 1;
      }
    },
  };
  await expect(evaluate(failing, batches, { numClasses })).rejects.toThrow('the device is lost');
  expect(running).toBe(0);
});

test('a data set of more rows than are sorted together keeps its batches and its order', async () => {
  const lengths = Uint16Array.from({ length: 20_001 }, (_, row) => 1 + ((row * 7919) % 50));
  const rowsAt = (_: number, index: number): Int32Array =>
    Int32Array.from({ length: Math.min(64, lengths.length - index * 64) }, (_value, i) => index * 64 + i);
  const batchOf = (rows: Int32Array): Batch => {
    const length = Math.max(...Array.from(rows, (row) => lengths[row]!));
    const ids = new Int32Array(rows.length * length);
    const labels = new Int32Array(rows.length);
    for (const [at, row] of rows.entries()) {
      ids[at * length] = row;
      labels[at] = row % 2;
    }
    return { rows, size: rows.length, length, ids, mask: ids, labels, tokens: 0 };
  };
  const logits = (row: number): number[] => [Math.sin(row), Math.cos(row)];
  const run = (batch: Pick<Batch, 'ids' | 'length' | 'size'>): Promise<Float32Array> =>
    Promise.resolve(
      Float32Array.from({ length: batch.size }, (_, at) => batch.ids[at * batch.length]!).reduce(
        (all, row, at) => (all.set(logits(row), 2 * at), all),
        new Float32Array(2 * batch.size),
      ),
    );
  const batchesPerEpoch = Math.ceil(lengths.length / 64);
  const source = {
    batchesPerEpoch,
    batchSize: 64,
    lengths,
    rowsAt,
    batchOf,
    at: (e: number, i: number) => batchOf(rowsAt(e, i)),
  };
  const expected = await evaluate({ run }, { ...source, rowsDependOnBatch: true }, { numClasses: 2 });
  expect(await evaluate({ run }, { ...source, rowsDependOnBatch: false }, { numClasses: 2 })).toEqual(expected);
  expect(expected.report.support).toBe(lengths.length);
});
