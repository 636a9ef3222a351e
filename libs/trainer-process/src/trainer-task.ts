import type { TrainingResult } from '@nautil/contracts';
import type { EvaluateWeightsOptions, ReplicaPlace, TrainJob, WeightsEvaluated } from '@nautil/training';

/** A task for a trainer process, as plain JSON. */
export type TrainerTask = TrainTask | EvaluateTask;

export interface TrainTask {
  do: 'train';
  job: TrainJob;

  /** The MLflow run that steps and evaluations are logged to; absent: none. */
  tracking?: TrackingTask | undefined;

  /** Where checkpoints are replicated for workers with another state folder; absent: nowhere. */
  mirror?: ReplicaPlace | undefined;
}

interface EvaluateTask extends EvaluateWeightsOptions {
  do: 'evaluate';
}

export interface TrackingTask {
  trackingUri: string;
  experiment: string;

  /** Absent while the server is down: the journal keeps the rows until it is back. */
  runId?: string;

  /** Journal file of the run. */
  journal: string;
  tags?: Record<string, string>;
}

export type TrainerResult<Task extends TrainerTask = TrainerTask> = Task extends TrainTask
  ? TrainingResult
  : WeightsEvaluated;
