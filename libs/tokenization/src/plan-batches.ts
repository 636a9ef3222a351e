import { keyedPermutation } from './keyed-permutation.js';

export interface BatchPlanOptions {
  /** Number of tokens of each row, as in `TokenCache.lengths`. */
  lengths: Uint16Array;

  batchSize: number;
  shuffle: boolean;

  /** Drops the rows that do not fill a last batch; shuffled epochs drop different rows. */
  dropLast: boolean;

  seed: number;

  /** Groups rows of similar length into batches, which reduces padding; only when shuffled. Default true. */
  bucketByLength?: boolean;

  /** Lengths that are padded to the same multiple count as equal. Default 1. */
  lengthMultiple?: number;

  /** Maximum number of batches per epoch. */
  limit?: number;
}

/** The rows of each batch, as a pure function of the seed, the epoch and the batch's index. */
export interface BatchPlan {
  readonly batchesPerEpoch: number;

  /** The rows of a batch; epochs and batches start at 0. The last batch of an epoch may be short. */
  rowsAt(epoch: number, index: number): Int32Array;
}

/** Rows are sorted by length within windows of at most this many batches, and at most a quarter of the epoch (as in Hugging Face's Trainer). */
const maxWindowBatches = 50;

/**
 * Plans the batches of every epoch; each row occurs once per epoch. The cost of a batch does not depend on its epoch or index:
 * the order is a keyed permutation, cut into windows; each window is sorted by length, and its batches are shuffled again.
 * Without shuffling, rows keep the order of the file, so that the mean of the batch losses equals NeMo's.
 *
 * @example
 * const plan = planBatches({ lengths: cache.lengths, batchSize: 32, shuffle: true, dropLast: false, seed: 1 });
 * const batch = assembleBatch(cache, plan.rowsAt(epoch, step % plan.batchesPerEpoch));
 */
export function planBatches(options: BatchPlanOptions): BatchPlan {
  const {
    lengths,
    batchSize,
    shuffle,
    dropLast,
    seed,
    bucketByLength = true,
    lengthMultiple = 1,
    limit = Infinity,
  } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new RangeError(`batchSize must be a positive whole number, not ${batchSize}`);
  const fullBatches = Math.floor(lengths.length / batchSize);
  const batches = dropLast ? fullBatches : Math.ceil(lengths.length / batchSize);
  const windowBatches =
    shuffle && bucketByLength ? Math.min(maxWindowBatches, Math.max(1, Math.floor(fullBatches / 4))) : 1;

  const orderOf = cacheLast((epoch: number) =>
    shuffle ? keyedPermutation(lengths.length, seed, epoch) : (index: number) => index,
  );

  const rowsBetween = (epoch: number, start: number, end: number) => {
    const order = orderOf(epoch);
    return Int32Array.from({ length: end - start }, (_, offset) => order(start + offset));
  };

  const windowRows = cacheLast((epoch: number, window: number) => {
    const first = window * windowBatches;
    const count = Math.min(windowBatches, fullBatches - first);
    const rows = rowsBetween(epoch, first * batchSize, (first + count) * batchSize);
    return { count, rows: sortByLength(rows, lengths, lengthMultiple) };
  });

  return {
    batchesPerEpoch: Math.min(batches, limit),
    rowsAt(epoch, index) {
      if (!Number.isInteger(index) || index < 0 || index >= batches) {
        throw new RangeError(`batch ${index} is not between 0 and ${batches - 1}`);
      }
      // The short last batch takes rows from the permutation, so that it holds random rows and not the longest.
      if (windowBatches === 1 || index >= fullBatches) {
        return rowsBetween(epoch, index * batchSize, Math.min((index + 1) * batchSize, lengths.length));
      }
      const window = Math.floor(index / windowBatches);
      const { count, rows } = windowRows(epoch, window);
      const batch = keyedPermutation(count, seed, epoch, window)(index - window * windowBatches);
      return rows.slice(batch * batchSize, (batch + 1) * batchSize);
    },
  };
}

/** Sorts rows by padded length; the sort is stable, so rows of equal length stay in random order. */
function sortByLength(rows: Int32Array, lengths: Uint16Array, multiple: number): Int32Array {
  const keys = Float64Array.from(rows, (row, i) => Math.ceil((lengths[row] ?? 0) / multiple) * rows.length + i);
  return Int32Array.from(keys.sort(), (key) => rows[key % rows.length] ?? 0);
}

/** Caches the last result, because batches are requested one after another. */
function cacheLast<Arguments extends number[], Result>(
  make: (...values: Arguments) => Result,
): (...values: Arguments) => Result {
  let last: { values: Arguments; result: Result } | undefined;
  return (...values) => {
    if (!last || values.some((value, i) => value !== last?.values[i])) last = { values, result: make(...values) };
    return last.result;
  };
}
