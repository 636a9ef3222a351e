import type { ClassificationReport } from './report.js';

/**
 * Live events of a training, emitted as they happen: for heartbeats and displays. A step or an evaluation that is emitted here
 * may be lost in a crash and computed again; loggers use `CheckpointSaved` instead. All events are plain JSON, because they
 * cross a process boundary.
 */
export type TrainEvent = TrainStarted | TrainStepped | EpochEvaluated | TrainWarning | TrainDone;

/** Steps and evaluations, which are logged once they are durable. */
export type LoggedEvent = TrainStepped | EpochEvaluated;

interface TrainStarted {
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

  /** The number of GPUs that TensorFlow finds. */
  gpus: number;

  /** Name, memory and compute capability of each, as TensorFlow lists them. Absent in events of earlier versions. */
  gpuDescriptions?: string[] | undefined;

  /** Why the processor trains although `trainer.accelerator` leaves the choice open. */
  noGpu?: string | undefined;

  /** What the rounding of the steps depends on: library, instructions, threads. Absent in events of earlier versions. */
  arithmetic?: string | undefined;

  /** Path of the checkpoint that the run resumes from. */
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

  /** Global gradient norm before clipping; present when clipping is on, unless the step was skipped because its gradients overflowed float16. */
  gradNorm?: number;

  examplesPerSecond: number;
  tokensPerSecond: number;

  /** NaN after the first step of a process. */
  secondsLeft: number;

  /** Milliseconds since the Unix epoch. Stored in the checkpoint, so that logging the step twice writes the same row. */
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

/**
 * The durable event of a training, emitted once a checkpoint is on disk. A resumed training emits that of its newest
 * checkpoint again, in case of a crash before it was logged: logging must be idempotent.
 */
export interface CheckpointSaved {
  /** Optimizer steps done. */
  step: number;

  /** Zero-based. */
  epoch: number;

  path: string;
  sizeBytes: number;

  /** Steps and evaluations since the previous checkpoint, with the timestamps to log them with. */
  events: LoggedEvent[];
}

interface TrainWarning {
  type: 'warning';
  message: string;
}

/** Why training ended. */
export type StopReason = 'completed' | 'early-stopped' | 'stopped';

/** What a finished training leaves. */
export interface TrainingResult {
  /** Optimizer steps done. */
  step: number;

  /** Epoch of the last step, zero-based. */
  epoch: number;
  reason: StopReason;

  /** Path of a safetensors file with the last weights. */
  lastWeights: string;

  /** Path of a safetensors file with the weights of the best evaluation; absent without validation data. */
  bestWeights?: string;

  /** The monitored value, and the step and the zero-based epoch where it was best. */
  best?: { monitor: string; value: number; step: number; epoch: number };
}

/** What remains to be known of a process that trained for another one. */
export type MemberResult = Pick<TrainingResult, 'step' | 'epoch' | 'reason'>;

interface TrainDone extends TrainingResult {
  type: 'done';
}
