import { keyedPermutation } from './keyed-permutation.js';

export interface BatchPlanOptions {
  /** Tokens of each row, as in `TokenCache.lengths`. */
  lengths: Uint16Array;

  batchSize: number;
  shuffle: boolean;

  /** Leaves out the rows that don't fill a last batch (another choice of rows each epoch, when shuffled). */
  dropLast: boolean;

  seed: number;

  /** Puts rows of like length into one batch, so that little is padded; only when shuffled. Default true. */
  bucketByLength?: boolean;

  /** Lengths that pad to the same multiple are alike. Default 1. */
  lengthMultiple?: number;

  /** Batches per epoch at most. */
  limit?: number;
}

/** Which rows each batch has: a pure function of the seed, the epoch and the batch's index, whatever was asked before. */
export interface BatchPlan {
  readonly batchesPerEpoch: number;

  /** The rows of a batch; both indices from 0. The epoch's last batch is short when the rows don't fill it. */
  rowsAt(epoch: number, index: number): Int32Array;
}

/** Batches whose rows are sorted by length together: at most so many, and at most a quarter of the epoch (as Hugging Face's Trainer). */
const maxWindowBatches = 50;

/**
 * Plans the batches of every epoch, each row once per epoch. The cost of a batch does not grow with the epoch or the index: the
 * order is a keyed permutation, cut into windows that are sorted by length alone, their batches shuffled again. Unshuffled rows
 * come in the order of the file, in unsorted batches, so that a mean of batch losses is NeMo's.
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

  const orderOf = remember((epoch: number) =>
    shuffle ? keyedPermutation(lengths.length, seed, epoch) : (index: number) => index,
  );

  const rowsBetween = (epoch: number, start: number, end: number) => {
    const order = orderOf(epoch);
    return Int32Array.from({ length: end - start }, (_, offset) => order(start + offset));
  };

  const windowRows = remember((epoch: number, window: number) => {
    const first = window * windowBatches;
    const count = Math.min(windowBatches, fullBatches - first);
    const rows = rowsBetween(epoch, first * batchSize, (first + count) * batchSize);
    return { count, rows: sortByLength(rows, lengths, lengthMultiple) };
  });

  return {
    batchesPerEpoch: Math.min(batches, limit),
    rowsAt(epoch, index) {
      if (!Number.isInteger(index) || index < 0 || index >= batches) {
        throw new RangeError(`batch ${index} is not within 0 … ${batches - 1}`);
      }
      // The short batch is the epoch's last, and its rows are a random choice, not the longest.
      if (windowBatches === 1 || index >= fullBatches) {
        return rowsBetween(epoch, index * batchSize, Math.min((index + 1) * batchSize, lengths.length));
      }
      const window = Math.floor(index / windowBatches);
      const { count, rows } = windowRows(epoch, window);
      const at = keyedPermutation(count, seed, epoch, window)(index - window * windowBatches);
      return rows.slice(at * batchSize, (at + 1) * batchSize);
    },
  };
}

/** By padded length; rows of the same stay in their random order. */
function sortByLength(rows: Int32Array, lengths: Uint16Array, multiple: number): Int32Array {
  const keys = Float64Array.from(rows, (row, at) => Math.ceil((lengths[row] ?? 0) / multiple) * rows.length + at);
  return Int32Array.from(keys.sort(), (key) => rows[key % rows.length] ?? 0);
}

/** Keeps the last result: batches are asked for one after another. */
function remember<Arguments extends number[], Result>(
  make: (...values: Arguments) => Result,
): (...values: Arguments) => Result {
  let last: { values: Arguments; result: Result } | undefined;
  return (...values) => {
    if (!last || values.some((value, at) => value !== last?.values[at])) last = { values, result: make(...values) };
    return last.result;
  };
}
