import { type BatchAmount, batchesIn, type Config } from '@nautil/config';
import { assembleBatch, type Batch, type BatchPlan, planBatches, type TokenCache } from '@nautil/tokenization';
import { rowWeights } from './cross-entropy.js';
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

/**
 * Cuts a batch into `count` micro-batches of equal size. The sum of their gradients is the gradient of the batch.
 *
 * @param o.lossScale - the batch's share of the optimizer step, 1 / accumulate_grad_batches
 */
export function microBatchesOf(
  batch: Batch,
  o: { count: number; lossScale: number; classWeights?: number[] | undefined },
): MicroBatch[] {
  const weights = rowWeights(batch.labels, o.classWeights, o.lossScale);
  const rows = Math.ceil(batch.size / o.count);
  const microBatches: MicroBatch[] = [];
  for (let from = 0; from < batch.size; from += rows) {
    const to = Math.min(from + rows, batch.size);
    microBatches.push({ batch: rowsOf(batch, from, to), rowWeights: weights.subarray(from, to), rowOffset: from });
  }
  return microBatches;
}

/** Rows [from, to) of a batch as a batch. */
export function rowsOf(batch: Batch, from: number, to: number): Batch {
  const cells = [from * batch.length, to * batch.length] as const;
  return {
    ...batch,
    rows: batch.rows.subarray(from, to),
    size: to - from,
    ids: batch.ids.subarray(...cells),
    mask: batch.mask.subarray(...cells),
    labels: batch.labels.subarray(from, to),
  };
}
