/**
 * A part of a data set: a fraction (1.0 is all of it), or a number of batches. null is all of it.
 *
 * One batch is the text '1', because JSON does not distinguish 1 from 1.0.
 */
export type BatchAmount = number | '1' | null;

/** Converts `amount` to a number of batches, unrounded. It exceeds `all` when `amount` is a larger number of batches. */
export function batchesIn(amount: BatchAmount, all: number): number {
  if (amount === null) return all;
  if (amount === '1') return 1;
  const isFraction = !Number.isInteger(amount) || amount <= 1;
  return isFraction ? all * amount : amount;
}
