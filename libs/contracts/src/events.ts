import type { ClassificationReport } from './report.js';

/**
 * What training says while it runs. The loop emits these and knows nothing of Temporal, MLflow or terminals;
 * subscribers heartbeat, log and draw. All values are plain JSON: events cross a process boundary.
 */
export type TrainEvent = TrainStarted | TrainStepped | EpochEvaluated | CheckpointSaved | TrainWarning | TrainDone;

export interface TrainStarted {
  type: 'start';

  /** Optimizer steps already done: 0, or that of the checkpoint resumed from. */
  step: number;

  totalSteps: number;
  stepsPerEpoch: number;
  epochs: number;
  trainExamples: number;
  validationExamples: number;
  trainableParameters: number;
  device: string;

  /** Path of the checkpoint that the run goes on from. */
  resumedFrom?: string | undefined;
}

export interface TrainStepped {
  type: 'step';

  /** Optimizer steps done, this one included; the first is 1. */
  step: number;

  /** Zero-based. */
  epoch: number;

  /** Mean loss of the batch (weighted as configured). */
  loss: number;

  lr: number;

  /** Global gradient norm before clipping; present when clipping is on. */
  gradNorm?: number;

  examplesPerSecond: number;
  tokensPerSecond: number;
  secondsLeft: number;

  /** Milliseconds since the epoch. Kept with the checkpoint, so that logging it twice writes one row. */
  timestampMs: number;
}

export interface EpochEvaluated {
  type: 'eval';
  split: 'val' | 'test';

  /** Optimizer steps done when it was measured. */
  step: number;

  /** Zero-based. */
  epoch: number;

  /** Unweighted mean of batch losses, as NeMo's val_loss. */
  loss: number;

  report: ClassificationReport;
  timestampMs: number;
}

export interface CheckpointSaved {
  type: 'checkpoint';
  step: number;
  epoch: number;
  path: string;
  sizeBytes: number;

  /**
   * Steps and evaluations since the checkpoint before this one, with the timestamps that they are logged with.
   * Trackers log from here and not from `step` and `eval`: what is lost with a crash was then never logged.
   */
  events: (TrainStepped | EpochEvaluated)[];
}

export interface TrainWarning {
  type: 'warning';
  message: string;
}

/** Why training ended. */
export type StopReason = 'completed' | 'early-stopped' | 'stopped';

export interface TrainDone {
  type: 'done';
  step: number;
  epoch: number;
  reason: StopReason;

  /** Safetensors file with the last weights. */
  lastWeights: string;

  /** Safetensors file with the weights of the best evaluation by the monitored value; absent without validation data. */
  bestWeights?: string;

  /** The monitored value and the step where it was best. */
  best?: { monitor: string; value: number; step: number };
}
