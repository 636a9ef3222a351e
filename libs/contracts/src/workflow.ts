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
export const stages = ['download', 'convert', 'cache', 'tokenize', 'train', 'evaluate', 'package'] as const;
export type Stage = (typeof stages)[number];

/** The task queue of everything but training; the Temporal CLI starts workflows on it. */
export const defaultTaskQueue = 'nautil';

/** The task queue that GPU (or, on one machine, the same) workers take training from. */
export const gpuTaskQueue = (taskQueue: string): string => `${taskQueue}-gpu`;

/** Search attributes that must be registered with the server before a workflow sets them: an unknown one hangs it. */
export const searchAttributes = {
  NautilExperiment: 'Keyword',
  NautilModel: 'Keyword',
  NautilDataset: 'Keyword',
  NautilF1: 'Double',
} as const;

/** Input of the `textClassification` workflow, as typed after `--input`. */
export interface TextClassificationInput {
  /** Name of a file in the configuration folder, without `.yaml`; default `text_classification_config`. */
  config?: string;

  /** Hydra-style overrides, in order. */
  overrides?: string[];
}

export interface TextClassificationResult {
  /** The packaged model. */
  nemo: FileRef;

  /** Report on the packaged file over the test set, or the validation set when there is no test set. */
  report?: ClassificationReport;

  mlflowRunId?: string;
  mlflowUrl?: string;
}

export type StageState = 'waiting' | 'running' | 'done' | 'reused' | 'failed';

/** Answer of the `progress` query. */
export interface Progress {
  stages: { stage: Stage; state: StageState; detail?: string }[];

  /** Where training is; present while it runs and after. */
  training?: {
    step: number;
    totalSteps: number;
    epoch: number;
    loss: number;
    examplesPerSecond: number;
    secondsLeft: number;
  };

  mlflowUrl?: string;
  result?: TextClassificationResult;
}
