import { type BatchAmount, batchesIn } from '@nautil/config';

/**
 * The numbers of batches within an epoch after which the model is evaluated, ascending.
 *
 * @param interval - `trainer.val_check_interval`: a fraction of the epoch, or a number of batches. As in Lightning, every k-th
 * batch is followed by an evaluation, and the batches after the last multiple of k are not.
 */
export function evaluationPoints(batchesPerEpoch: number, interval: BatchAmount): number[] {
  const every = Math.max(1, Math.trunc(batchesIn(interval, batchesPerEpoch)));
  const points: number[] = [];
  for (let at = every; at <= batchesPerEpoch; at += every) points.push(at);
  return points;
}
