import { counted } from './counted.js';
import type { StopReason } from './events.js';
import type { ClassificationReport, Finding } from './report.js';

/** A file, identified by path and content. Activities pass references instead of data. */
export interface FileRef {
  /** Absolute path on the worker that wrote the file. */
  path: string;

  /** Lower-case hex digest of the bytes. */
  sha256: string;

  sizeBytes: number;
}

/** The stages of a run, in order. Each is one activity, whose result is reused for equal inputs. */
export const stageNames = ['download', 'convert', 'cache', 'tokenize', 'train', 'evaluate', 'package'] as const;
export type Stage = (typeof stageNames)[number];

/** The task queue of workflows and of all stages except training. */
export const defaultTaskQueue = 'nautil';

/** The task queue for training, polled by GPU workers, or on a single machine by its only worker. */
export const gpuTaskQueue = (taskQueue: string): string => `${taskQueue}-gpu`;

/** The task queue of the workers that share one state folder, and so can read each other's files. */
export const homeTaskQueue = (taskQueue: string, home: string): string => `${taskQueue}@${home}`;

/** Search attributes must be registered with the server before a workflow sets them; an unregistered one blocks it. */
export const searchAttributes = {
  NautilExperiment: 'Keyword',
  NautilModel: 'Keyword',
  NautilDataset: 'Keyword',
  NautilF1: 'Double',
} as const;

/**
 * Names of the messages to a running `textClassification`: `temporal workflow query --type progress`. Pause, resume and
 * stopEarly exist as updates, which return a result or are rejected (`temporal workflow update execute --name pause`), and as
 * signals, which return nothing.
 */
export const progressQuery = 'progress';
export const pauseRequest = 'pause';
export const resumeRequest = 'resume';
export const stopEarlyRequest = 'stopEarly';

/** Sent by the train activity, about a hundred times in a run of any length, because each signal costs four history events. */
export const trainingSignal = 'training';

/** Sent by each activity of a group once it has a worker: the address at which its trainer will listen. */
export const memberSignal = 'member';

export interface MemberPlaced {
  /** That of the `GroupPlace`. */
  token: string;
  index: number;

  /** `host:port`; see `parseMemberAddress`. */
  address: string;

  /** HMAC-SHA-256 of the run and the rest of this signal, if the worker has a `NAUTIL_GROUP_SECRET`. */
  signature?: string | undefined;
}

/** Asked by the activities of a group until all of them have a worker. Its result is a `Placement`. */
export const placementQuery = 'placement';

export interface Placement {
  /** Of the newest start of the group; absent before the first. */
  token?: string | undefined;

  /** The addresses of all members; absent until each has one. */
  members?: string[] | undefined;

  /** What each member has sent with its address; null for one that sent none. Absent in the answers of older versions. */
  signatures?: (string | null)[] | undefined;
}

/** Input of the `textClassification` workflow, as passed to `--input`. */
export interface TextClassificationInput {
  /** Name of a file in the configuration folder, without `.yaml`; default `text_classification_config`. */
  config?: string;

  /** Hydra-style overrides, in order. */
  overrides?: string[];

  /** Configuration folder, an absolute path on the worker; default: the shipped `conf`, whose groups are always available. */
  configPath?: string;

  /** Base of relative paths, an absolute path on the worker; default: the worker's checkout or current folder. */
  cwd?: string;

  /**
   * The key of an earlier run with this workflow id, to resume it with its resolved configuration, its folder with the
   * checkpoints, and its MLflow run. The key is the id of that run's first execution.
   */
  runKey?: string;

  /**
   * With `runKey`: the task queue of the workers that have the run's folder, if it differs from the queue on which the workflow
   * was started. `Progress.home` contains it.
   */
  home?: string | undefined;

  /** With `runKey`: runs this stage and the later ones again; the earlier ones are reused. */
  from?: Stage | undefined;

  /** MLflow run of the sweep that this run belongs to. */
  parentMlflowRunId?: string;

  /** Set only by the workflow itself, when it continues as new because its history has become long. */
  continued?: ContinuedRun | undefined;
}

/** The state that a run passes to its next execution; finished stages are found by the hashes of their inputs. */
export interface ContinuedRun {
  stopEarly: boolean;

  /** Distinguishes the repetition that `from` requested from others. */
  redoToken?: string | undefined;
}

/** Result of the updates `pause`, `resume` and `stopEarly`, with a message that describes the effect. */
export interface ControlAnswer {
  paused: boolean;
  message: string;
}

export interface TextClassificationResult {
  /** The packaged model. */
  nemo: FileRef;

  /**
   * Report of the packaged model on the test set, or on the validation set if there is no test set. Only in `reportFile` if it
   * has too many classes for a payload.
   */
  report?: ClassificationReport | undefined;

  /** The same report as JSON. */
  reportFile?: FileRef | undefined;

  /** Every evaluation of the run, as JSON lines of `EpochEvaluated`. */
  evaluations?: FileRef;

  scores?: RunScores | undefined;

  /** Scores of the same weights on the validation set, if `scores` are on the test set and training evaluated them. */
  validation?: RunScores | undefined;

  /** Which weights were packaged; `last` unless save_best_model is set. */
  weights: 'last' | 'best';

  /** Why the training ended. */
  stopReason?: StopReason | undefined;

  mlflowRunId?: string | undefined;
  mlflowUrl?: string | undefined;

  /** Why the model may be useless or worse than necessary; absent if nothing is known against it. */
  findings?: Finding[] | undefined;

  /** The archives of other runs that were in the places of this one. */
  kept?: KeptArchive[] | undefined;

  /** What MLflow does not have of the complete run, such as a model that could not be registered. */
  trackingWarnings?: string[];
}

/** An archive of another run that was where a run puts its own. Both are absolute paths. */
export interface KeptArchive {
  path: string;

  /** Where it is now. */
  keptAt: string;
}

/** What a run reports about an archive that it found in the place of its own. */
export const keptSentence = ({ path, keptAt }: KeptArchive): string =>
  `the archive of another run that was at ${path} is now ${keptAt}`;

/** The scores by which runs are compared, as fractions. */
export interface RunScores {
  split: 'val' | 'test';
  examples: number;
  loss: number;
  accuracy: number;
  f1Macro: number;
  f1Micro: number;
  f1Weighted: number;
}

/** The scores of a run as one line. */
export const scoresSentence = ({ split, accuracy, f1Macro, examples }: RunScores): string =>
  `${split} accuracy ${accuracy.toFixed(4)}, macro F1 ${f1Macro.toFixed(4)}, on ${counted(examples, 'example')}`;

export type StageState = 'waiting' | 'running' | 'paused' | 'done' | 'reused' | 'failed';

/** Progress of a training. */
export interface TrainingProgress {
  step: number;
  totalSteps: number;

  /** Zero-based. */
  epoch: number;

  /** NaN, in JSON null, until this process has made a step. */
  loss: number;

  /** NaN, like the time left, until this process has made two steps. */
  examplesPerSecond: number;
  secondsLeft: number;

  /** The newest evaluation of the validation set. */
  validation?: { epoch: number; loss: number; accuracy: number; f1Macro: number };

  /** Step of the newest checkpoint, from which a killed run resumes. */
  checkpointStep?: number;

  /** Warnings of the training, such as a batch that did not fit into memory; shown among the notes. */
  warnings?: string[];
}

/** Result of the `progress` query. */
export interface Progress {
  stages: { stage: Stage; state: StageState; detail?: string }[];

  /** Progress of the training; present once training has started. */
  training?: TrainingProgress | undefined;

  /** Notes on the configuration: old spellings, counted classes, resolved paths. */
  notes: string[];

  runKey: string;

  /** The task queue of the workers that have the run's folder, on which the run must be resumed. */
  home?: string | undefined;

  /** Set between `pause` and `resume`. */
  paused: boolean;

  /** The log folder on the disk of the workers. Absent until the configuration is resolved, and in the answers of older versions. */
  logDir?: string | undefined;

  mlflowUrl?: string | undefined;
  result?: TextClassificationResult | undefined;

  /** Why the run failed, with its type. */
  failure?: { type: string; message: string } | undefined;
}
