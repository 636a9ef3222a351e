import { type BatchAmount, batchesIn, type Config } from '@nautil/config';
import { largest } from '@nautil/contracts';
import { assembleBatch, type Batch, type BatchPlan, planBatches, type TokenCache } from '@nautil/tokenization';
import { rowWeights } from './cross-entropy.js';
import { rowsOf } from './rows-of.js';
import type { MicroBatch } from './train-step.js';

/** The batches of a data set by (epoch, index), so that a resumed run has nothing to skip. */
export interface BatchSource {
  readonly batchesPerEpoch: number;

  /** Number of rows of a full batch. */
  readonly batchSize: number;

  /** Number of tokens of each row. */
  readonly lengths: Uint16Array;

  /** Whether the result of a row may depend on the other rows of its batch; see `nautil.batches.nemo_padding`. */
  readonly rowsDependOnBatch: boolean;

  at(epoch: number, index: number): Batch;

  /** The rows of a batch. */
  rowsAt(epoch: number, index: number): Int32Array;

  /** A batch of any rows, at most `batchSize`. */
  batchOf(rows: Int32Array): Batch;
}

export interface BatchesOptions {
  dataset: Pick<Config['model']['train_ds'], 'batch_size' | 'shuffle' | 'drop_last'>;

  /** `trainer.limit_*_batches`. A fraction is rounded down, as in Lightning. */
  limit: BatchAmount;
  nautil: Pick<Config['nautil'], 'seed' | 'batches'>;
  maxPositions: number;
}

/** The number of batches of one pass over `rows` examples. */
export function countBatches(o: {
  rows: number;
  dataset: Pick<BatchesOptions['dataset'], 'batch_size' | 'drop_last'>;
  limit: BatchAmount;
}): number {
  const { batch_size: batchSize, drop_last: dropLast } = o.dataset;
  const all = dropLast ? Math.floor(o.rows / batchSize) : Math.ceil(o.rows / batchSize);
  return Math.min(all, Math.trunc(batchesIn(o.limit, all)));
}

/** The batches of a token cache. */
export function batchesOf(cache: TokenCache, o: BatchesOptions): BatchSource {
  const { batch_size: batchSize, shuffle, drop_last: dropLast } = o.dataset;
  const {
    bucket_by_length: bucketByLength,
    length_multiple: lengthMultiple,
    nemo_padding: nemoPadding,
  } = o.nautil.batches;
  const limit = countBatches({ rows: cache.count, dataset: o.dataset, limit: o.limit });
  const plan: BatchPlan = planBatches({
    lengths: cache.lengths,
    batchSize,
    shuffle,
    dropLast,
    seed: o.nautil.seed,
    bucketByLength,
    lengthMultiple,
    limit,
  });
  const options = { lengthMultiple, maxLength: o.maxPositions, nemoPadding };
  const batchOf = (rows: Int32Array): Batch => assembleBatch(cache, rows, options);
  return {
    batchesPerEpoch: plan.batchesPerEpoch,
    batchSize,
    lengths: cache.lengths,
    rowsDependOnBatch: nemoPadding,
    at: (epoch, index) => batchOf(plan.rowsAt(epoch, index)),
    rowsAt: (epoch, index) => plan.rowsAt(epoch, index),
    batchOf,
  };
}

/** Number of lengths of batches for which XLA compiles a training step. */
const compiledLengths = 8;

/** A GPU multiplies matrices fastest whose sizes are multiples of this. */
const usualMultiple = 8;

/**
 * The multiple to which batches are padded when each length is compiled.
 *
 * @param lengths - number of tokens of each row
 * @param configured - `nautil.batches.length_multiple`, of which the result is a multiple
 */
export function compiledLengthMultiple(lengths: Uint16Array, configured: number): number {
  const unit = configured === 1 ? usualMultiple : configured;
  return unit * Math.max(1, Math.ceil(largest(lengths) / (unit * compiledLengths)));
}

/** The lengths that batches of such rows can have, in ascending order. */
export function paddedLengths(
  lengths: Uint16Array,
  { lengthMultiple, maxPositions }: { lengthMultiple: number; maxPositions: number },
): number[] {
  const padded = new Set<number>();
  for (const length of new Set(lengths))
    padded.add(Math.max(length, Math.min(Math.ceil(length / lengthMultiple) * lengthMultiple, maxPositions)));
  return [...padded].sort((a, b) => a - b);
}

/**
 * A micro-batch of `rows` rows, at least as many as it has. Those that are added repeat the first, and their loss has no weight.
 */
export function padRows(microBatch: MicroBatch, rows: number): MicroBatch {
  const { batch, rowOffset } = microBatch;
  const { size, length } = batch;
  if (size === rows) return microBatch;
  const padded = (values: Int32Array, width: number): Int32Array => {
    const result = new Int32Array(rows * width);
    result.set(values);
    for (let row = size; row < rows; row++) result.set(values.subarray(0, width), row * width);
    return result;
  };
  const weights = new Float32Array(rows);
  weights.set(microBatch.rowWeights);
  return {
    batch: {
      ...batch,
      size: rows,
      rows: padded(batch.rows, 1),
      ids: padded(batch.ids, length),
      mask: padded(batch.mask, length),
      ...(batch.types ? { types: padded(batch.types, length) } : {}),
      labels: padded(batch.labels, 1),
    },
    rowWeights: weights,
    rowOffset,
  };
}

/**
 * Cuts a batch into `count` micro-batches whose sizes differ by one row at most, or into one for each row if there are fewer rows. The
 * sum of their gradients is the gradient of the batch.
 *
 * @param o.share - the batch's share of the optimizer step, 1 / accumulate_grad_batches
 * @param o.firstRow - number of rows of the step's earlier batches, so that no two rows of a step draw the same dropout; default 0
 */
export function microBatchesOf(
  batch: Batch,
  o: { count: number; share: number; classWeights?: number[] | undefined; firstRow?: number },
): MicroBatch[] {
  const weights = rowWeights(batch.labels, o.classWeights, o.share);
  const count = Math.min(o.count, batch.size);
  return Array.from({ length: count }, (_, index) => {
    const [from, to] = [index, index + 1].map((part) => Math.ceil((part * batch.size) / count)) as [number, number];
    return {
      batch: rowsOf(batch, from, to),
      rowWeights: weights.subarray(from, to),
      rowOffset: (o.firstRow ?? 0) + from,
    };
  });
}

/**
 * The micro-batches of one optimizer step, whose gradients are summed.
 *
 * @param batches - the accumulated batches of the step
 * @param o.count - number of micro-batches of each batch, over all devices
 * @param o.share - each batch's share of the step, 1 / accumulate_grad_batches
 * @param o.compiledSize - rows of a full batch where XLA compiles the step, whose micro-batches then all have one size
 */
export function microBatchesOfStep(
  batches: readonly Batch[],
  o: { count: number; share: number; classWeights?: number[] | undefined; compiledSize?: number | undefined },
): MicroBatch[] {
  const { count, compiledSize } = o;
  let firstRow = 0;
  const parts = batches.flatMap((batch) => {
    const ofBatch = microBatchesOf(batch, { ...o, firstRow });
    firstRow += batch.size;
    return ofBatch;
  });
  return compiledSize === undefined ? parts : parts.map((part) => padRows(part, Math.ceil(compiledSize / count)));
}
