import type { StopReason } from '@nautil/contracts';
import type { EvaluateWeightsOptions, MirrorPlace, TrainJob, WeightsEvaluated } from '@nautil/training';

/**
 * What the trainer process is asked to do, as plain JSON (see `ToTrainer` in contracts). TensorFlow is loaded in that
 * process alone.
 */
export type TrainerTask =
  | {
      do: 'train';
      job: TrainJob;

      /** The MLflow run that steps and evaluations are logged to; absent: none. */
      tracking?: TrackingTask | undefined;

      /** Where checkpoints are kept for workers of other state folders; absent: nowhere. */
      mirror?: MirrorPlace | undefined;
    }
  | ({ do: 'evaluate' } & Omit<EvaluateWeightsOptions, 'afterBatch'>);

export interface TrackingTask {
  trackingUri: string;
  experiment: string;

  /** Absent while the server is down: the journal then keeps the rows for it. */
  runId?: string;

  /** Journal file of the run. */
  journal: string;
  tags?: Record<string, string>;
}

export type TrainerResult = TrainOutcome | WeightsEvaluated;

/** What training leaves; see `TrainDone`. */
export interface TrainOutcome {
  step: number;
  epoch: number;
  reason: StopReason;
  lastWeights: string;
  bestWeights?: string;
  best?: { monitor: string; value: number; step: number };
}
