import type { ClassificationReport } from './report.js';

/** A file, by address and content. What activities pass to one another in place of data. */
export interface FileRef {
  /** Absolute path on the worker that made it. */
  path: string;

  /** Lower-case hex digest of the bytes. */
  sha256: string;

  sizeBytes: number;
}

/** The stages of a run, in order. Each is one activity, found again by the hash of its inputs. */
export const stageNames = ['download', 'convert', 'cache', 'tokenize', 'train', 'evaluate', 'package'] as const;
export type Stage = (typeof stageNames)[number];

/** The task queue of everything but training; the Temporal CLI starts workflows on it. */
export const defaultTaskQueue = 'nautil';

/** The task queue that GPU (or, on one machine, the same) workers take training from. */
export const gpuTaskQueue = (taskQueue: string): string => `${taskQueue}-gpu`;

/** The task queue of the workers that share one state folder, and so one another's files. */
export const homeTaskQueue = (taskQueue: string, home: string): string => `${taskQueue}@${home}`;

/** Search attributes that must be registered with the server before a workflow sets them: an unknown one hangs it. */
export const searchAttributes = {
  NautilExperiment: 'Keyword',
  NautilModel: 'Keyword',
  NautilDataset: 'Keyword',
  NautilF1: 'Double',
} as const;

/**
 * Names that clients call a running `textClassification` by: `temporal workflow query --type progress`. Pause, resume and
 * stopEarly are updates, which answer or refuse (`temporal workflow update execute --name pause`), and signals, which do not.
 */
export const progressQuery = 'progress';
export const pauseRequest = 'pause';
export const resumeRequest = 'resume';
export const stopEarlyRequest = 'stopEarly';

/** Sent by the train activity, about a hundred times in a run however long it is: each one costs four events of history. */
export const trainingSignal = 'training';

/** Input of the `textClassification` workflow, as typed after `--input`. */
export interface TextClassificationInput {
  /** Name of a file in the configuration folder, without `.yaml`; default `text_classification_config`. */
  config?: string;

  /** Hydra-style overrides, in order. */
  overrides?: string[];

  /** Folder of the configuration, absolute on the worker's machine; default the checkout's `conf`, whose groups it always has. */
  configPath?: string;

  /** Where relative paths start, absolute on the worker's machine; default the checkout. */
  cwd?: string;

  /**
   * The key of an earlier run under this workflow id, to go on with: its resolved configuration, its folder with the
   * checkpoints, and its MLflow run. The key is the id of that run's first execution.
   */
  runKey?: string;

  /**
   * With `runKey`: the task queue of the workers that have the run's folder, where that is not the queue that the workflow was
   * started on. `Progress.home` says it.
   */
  home?: string | undefined;

  /** With `runKey`: this stage and those after it are run again, those before are reused. */
  from?: Stage | undefined;

  /** MLflow run of the sweep that this run belongs to. */
  parentMlflowRunId?: string;

  /** Written by the workflow alone, when it goes on in a new execution because its history has become long. */
  continued?: ContinuedRun | undefined;
}

/** What a run takes along into its next execution; everything else is found again by the hash of its inputs. */
export interface ContinuedRun {
  stopEarly: boolean;

  /** Tells the repetition that `from` asked for from others. */
  redoToken?: string | undefined;
}

/** Answer of the updates `pause`, `resume` and `stopEarly`: what comes of them, in a sentence. */
export interface ControlAnswer {
  paused: boolean;
  message: string;
}

export interface TextClassificationResult {
  /** The packaged model. */
  nemo: FileRef;

  /**
   * Report on the packaged file over the test set, or the validation set when there is no test set. Left to
   * `reportFile` when it has too many classes for a payload.
   */
  report?: ClassificationReport | undefined;

  /** The same report as JSON. */
  reportFile?: FileRef | undefined;

  /** JSON lines: every evaluation of the run, as `EpochEvaluated`. */
  evaluations?: FileRef;

  scores?: RunScores | undefined;

  /** The same weights on the validation set, when `scores` are on the test set and training evaluated them. */
  validation?: RunScores | undefined;

  /** What the weights were picked by; `last` unless save_best_model. */
  weights: 'last' | 'best';

  mlflowRunId?: string | undefined;
  mlflowUrl?: string | undefined;
}

/** The few numbers that runs are compared by; fractions. */
export interface RunScores {
  split: 'val' | 'test';
  examples: number;
  loss: number;
  accuracy: number;
  f1Macro: number;
  f1Micro: number;
  f1Weighted: number;
}

export type StageState = 'waiting' | 'running' | 'paused' | 'done' | 'reused' | 'failed';

/** Where training is. */
export interface TrainingProgress {
  step: number;
  totalSteps: number;
  epoch: number;
  loss: number;
  examplesPerSecond: number;
  secondsLeft: number;

  /** The newest evaluation of the validation set. */
  validation?: { epoch: number; loss: number; accuracy: number; f1Macro: number };

  /** Step of the newest checkpoint: what a killed run goes on from. */
  checkpointStep?: number;

  /** What training said that a reader should know, such as a batch that did not fit into memory; shown among the notes. */
  warnings?: string[];
}

/** Answer of the `progress` query. */
export interface Progress {
  stages: { stage: Stage; state: StageState; detail?: string }[];

  /** Where training is; present while it runs and after. */
  training?: TrainingProgress | undefined;

  /** What the configuration said that a reader should know: old spellings, counted classes, resolved paths. */
  notes: string[];

  runKey: string;

  /** The task queue of the workers that have the run's folder; a run that goes on must go on there. */
  home?: string | undefined;

  /** Set between `pause` and `resume`. */
  paused: boolean;

  mlflowUrl?: string | undefined;
  result?: TextClassificationResult | undefined;

  /** Why the run failed, with its type. */
  failure?: { type: string; message: string } | undefined;
}
