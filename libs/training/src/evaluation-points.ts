import { batchesIn, type BatchAmount } from '@nautil/config';

/**
 * Batch counts within an epoch after which the model is evaluated, ascending.
 *
 * @param interval - `trainer.val_check_interval`: a fraction of the epoch, or a number of batches (Lightning's rule:
 * every k-th batch, so that the rest of the epoch after the last multiple is not evaluated).
 */
export function evaluationPoints(batchesPerEpoch: number, interval: BatchAmount): number[] {
  const every = Math.max(1, Math.trunc(batchesIn(interval, batchesPerEpoch)));
  const points: number[] = [];
  for (let at = every; at <= batchesPerEpoch; at += every) points.push(at);
  return points;
}
