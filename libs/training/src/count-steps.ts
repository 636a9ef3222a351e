import type { Config } from '@nautil/config';
import { countBatches } from './batches.js';
import { evaluationPoints } from './evaluation-points.js';
import { runLengthOf } from './schedule.js';

/** What a training consists of, unless it is stopped early. */
export interface StepCounts {
  /** Batches of an epoch, after `trainer.limit_train_batches`. */
  batchesPerEpoch: number;

  /** Optimizer steps of an epoch. */
  stepsPerEpoch: number;

  /** Optimizer steps of the whole training. */
  total: number;

  /** Optimizer steps that are left. */
  steps: number;

  /** Evaluations on the validation set that are left. */
  evaluations: number;

  /** Checkpoints that are left. */
  checkpoints: number;
}

/**
 * Counts the steps, evaluations and checkpoints of a training, as the training loop takes them.
 *
 * @param o.rows - number of training examples
 * @param o.validates - whether the run has a validation set
 * @param o.devices - number of devices of all processes, each of which gets `batch_size` rows of a batch
 * @param o.done - number of steps that were taken before; default 0
 */
export function countSteps(
  { model, trainer, nautil }: Config,
  o: { rows: number; validates: boolean; devices: number; done?: number },
): StepCounts {
  const { train_ds, optim } = model;
  const { accumulate_grad_batches: accumulate, limit_train_batches: limit, val_check_interval: interval } = trainer;
  const dataset = { ...train_ds, batch_size: train_ds.batch_size * o.devices };
  const batchesPerEpoch = countBatches({ rows: o.rows, dataset, limit });
  const { stepsPerEpoch, total } = runLengthOf({ batchesPerEpoch, trainer, sched: optim.sched });
  // Evaluations follow every k-th batch of an epoch.
  const [k = Infinity] = o.validates ? evaluationPoints(batchesPerEpoch, interval) : [];
  const every = nautil.checkpoint_every_n_steps;
  let [evaluations, checkpoints] = [0, 0];
  let isSaved = false;
  const done = o.done ?? 0;
  for (let step = done; step < total; step++) {
    const first = (step % stepsPerEpoch) * accumulate;
    const last = Math.min(first + accumulate, batchesPerEpoch);
    evaluations += Math.floor(last / k) - Math.floor(first / k);
    isSaved = last % k === 0 || (every > 0 && (step + 1) % every === 0);
    if (isSaved) checkpoints += 1;
  }
  if (done < total && !isSaved) checkpoints += 1; // after the last step
  return { batchesPerEpoch, stepsPerEpoch, total, steps: Math.max(0, total - done), evaluations, checkpoints };
}
