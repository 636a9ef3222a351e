import type { Tracking } from './activities.js';
import type { TextClassificationResult } from './workflow.js';

/** More trials with their results would not fit into one payload; larger grids must be sampled. */
export const maxTrials = 500;

/** The scores by which trials can be compared: of the packaged weights on one set, named by their MLflow keys. */
export const objectives = [
  'val/f1_macro',
  'val/f1_micro',
  'val/f1_weighted',
  'val/accuracy',
  'val/loss',
  'test/f1_macro',
  'test/f1_micro',
  'test/f1_weighted',
  'test/accuracy',
  'test/loss',
] as const;
export type Objective = (typeof objectives)[number];

/** Input of the `sweep` workflow, as passed to `--input`. */
export interface SweepInput {
  /** Name of a file in the configuration folder, without `.yaml`; default `text_classification_config`. */
  config?: string | undefined;

  /** Hydra-style overrides. Those with several values (`a,b`, `choice()`, `range()`, `interval()`) vary. */
  overrides: string[];

  /** Configuration folder, an absolute path on the worker; default: the shipped `conf`, whose groups are always available. */
  configPath?: string;

  /** Base of relative paths, an absolute path on the worker; default: the worker's checkout or current folder. */
  cwd?: string;

  /** Number of combinations to draw at random; default: all combinations are run. */
  random?: number | undefined;

  /** Seed of the draw; default 1. The same seed draws the same combinations, and a larger `random` only adds to them. */
  seed?: number | undefined;

  /** Number of concurrent trials; default 2, so that one is prepared while another trains. */
  limit?: number | undefined;

  /** Default `val/f1_macro`. */
  objective?: Objective | undefined;

  /** Set only by the workflow itself, when it continues as new because its history has become long. */
  continued?: ContinuedSweep;
}

/** One combination. */
export interface SweepTrial {
  /** From 1, in the order of the plan. */
  number: number;

  /** Depends only on the sweep and the combination, so that a restarted sweep finds its trials. */
  workflowId: string;

  /** The overrides that distinguish this trial from the others. */
  overrides: string[];
}

export const trialStates = ['waiting', 'running', 'done', 'reused', 'failed', 'cancelled'] as const;
export type TrialState = (typeof trialStates)[number];

/** One line of a sweep's table. */
export interface TrialRow extends SweepTrial {
  state: TrialState;

  /** Absent until the trial is done, or if its run has no such score. */
  objective?: number | undefined;

  /** Scores on the set of the run's report. */
  accuracy?: number;
  f1Macro?: number;
  loss?: number;

  mlflowUrl?: string | undefined;

  /** Path of the packaged model. */
  nemo?: string;

  /** What MLflow does not have of the complete trial. */
  trackingWarnings?: string[];
  failure?: { type: string; message: string };
}

/** Result of a sweep's `progress` query. */
export interface SweepProgress {
  input: SweepInput;
  objective: Objective;
  limit: number;

  /** Best first, then the trials without a score. */
  rows: TrialRow[];

  /** Overrides that all trials share. */
  fixed: string[];
  notes: string[];
  mlflowUrl?: string | undefined;
  result?: SweepResult | undefined;
  failure?: { type: string; message: string } | undefined;
}

export interface SweepResult {
  objective: Objective;

  /** Best first, failed trials last. */
  rows: TrialRow[];

  /** Absent if no trial has the objective. */
  best?: TrialRow;
  mlflowRunId?: string | undefined;
  mlflowUrl?: string | undefined;
}

/** The state that a sweep passes to its next execution. No trial is running at that time. */
export interface ContinuedSweep {
  plan: Omit<SweepPlan, 'trials'>;
  rows: TrialRow[];
  tracking: Tracking;
}

/** The activities that the `sweep` workflow calls. */
export interface SweepActivities {
  /** Parses the overrides, lists or draws the combinations, and checks the configuration of each before any trial starts. */
  planSweep: (request: SweepRequest) => Promise<SweepPlan>;

  /** Creates or finds the parent of the trials' MLflow runs. Never fails because MLflow is down. */
  startSweepTracking: (sweep: TrackedSweep) => Promise<Tracking>;

  /** Closes the parent run and logs the table. Never fails because MLflow is down. */
  finishSweepTracking: (outcome: SweepOutcome) => Promise<Tracking>;

  /** The outcome of a trial that was started earlier. Fails while the trial is running, so that Temporal retries it. */
  awaitTrial: (o: { workflowId: string }) => Promise<TrialEnd>;
}

export interface SweepRequest extends Pick<
  SweepInput,
  'config' | 'configPath' | 'cwd' | 'overrides' | 'random' | 'seed'
> {
  objective: Objective;

  /** Workflow id of the sweep, the prefix of the trials' ids. */
  sweepId: string;
}

export interface SweepPlan {
  experiment: string;

  /** Overrides that all trials share. */
  fixed: string[];

  /** Each combination once. */
  trials: SweepTrial[];

  /** Messages for users. */
  notes: string[];
}

export interface TrackedSweep {
  sweepId: string;
  experiment: string;
  objective: Objective;
  fixed: string[];
  trials: number;
}

export interface SweepOutcome extends TrackedSweep {
  status: 'FINISHED' | 'FAILED' | 'KILLED';

  /** Why the sweep failed. */
  message?: string;

  /** Best first. */
  rows: TrialRow[];
}

/** The outcome of a trial; one that did not complete can be started again. */
export type TrialEnd = { completed: true; result: TextClassificationResult } | { completed: false };
