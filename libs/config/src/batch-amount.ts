/**
 * How much of a data set: a fraction of it (1.0 is all), or a number of batches. null is all.
 *
 * JSON has one 1 and Lightning two, so that one batch is stored as the text '1'.
 */
export type BatchAmount = number | '1' | null;

/** Number of batches that `amount` is of `all`, unrounded: it is more than `all` where more batches are asked for. */
export function batchesIn(amount: BatchAmount, all: number): number {
  if (amount === null) return all;
  if (amount === '1') return 1;
  const isFraction = !Number.isInteger(amount) || amount <= 1;
  return isFraction ? all * amount : amount;
}
