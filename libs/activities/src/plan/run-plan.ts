import type { Stage } from '@nautil/contracts';
import type { MeasureTrainingOptions, StepCounts, TrainingMeasured } from '@nautil/training';
import type { PlannedDisk } from './plan-disk.js';

/** What the plan of a run depends on besides the request. */
export interface PlanOptions {
  /** Where relative paths start. */
  cwd: string;

  /** Address of the MLflow server that the run would use. */
  trackingUri: string;

  /** Measures a training in another process. */
  measure: (o: MeasureTrainingOptions) => Promise<TrainingMeasured>;
  signal: AbortSignal;

  /** Called before each part of the work, with one line for users. */
  onProgress?: (detail: string) => void;
}

/** What a run would do, and what it would need. Nothing of it has been started. */
export interface RunPlan {
  stages: PlannedStage[];

  /** Absent while the data or the encoder are not on this machine, as `seconds`, `memory` and `disks`. */
  training?: PlannedTraining;

  /** Absent also if the training does not fit. */
  seconds?: PlannedSeconds;
  memory?: PlannedMemory;
  disks?: PlannedDisk[];

  /** What the run will say about its configuration and data, and what is not known. */
  notes: string[];

  /** Why the run would fail: it does not fit, or can't be downloaded; empty if nothing is known that would end it. */
  problems: { kind: 'fit' | 'download'; message: string; hint: string }[];
}

/** The state of a stage before the run. */
export type PlannedState =
  /** Its output exists, and the run uses it. */
  | 'cached'
  /** The dry run has made its output, and the run uses it. */
  | 'prepared'
  /** There is nothing to do: the files are on this machine. */
  | 'in place'
  /** The run does it. */
  | 'runs';

export interface PlannedStage {
  stage: Stage;
  state: PlannedState;

  /** Expected seconds, if they are known. */
  seconds?: number;
  detail?: string;
}

interface PlannedTraining extends StepCounts {
  /** Epochs that are left, of which the last may be incomplete. */
  epochs: number;

  /** Number of trainable values. */
  parameters: number;

  /** Rows of a batch on one device, batches of one step, and devices of all processes. */
  batchSize: number;
  accumulatedBatches: number;
  devices: number;

  /** TensorFlow's name of the first device; absent if the training was not measured. */
  device?: string;
  largestBatch?: { rows: number; length: number };

  /** Number of pieces of a batch, if it does not fit into TensorFlow's memory as a whole. */
  microBatches?: number;

  /** Number of steps that were timed. */
  timedSteps?: number;
}

/** Expected seconds: of one step, of one evaluation on the validation set, and of all stages. */
interface PlannedSeconds {
  perStep: number;
  perEvaluation?: number;
  total: number;
}

export interface PlannedMemory {
  /** Largest resident size of the process that trains. */
  peakBytes: number;

  /** What the machine, or the control group of this process, had available before. */
  availableBytes: number;

  /** How `peakBytes` was found: `computed` counts the weights and the optimizer's state only, and is a lower bound. */
  basis: 'measured' | 'extrapolated' | 'computed';
}
