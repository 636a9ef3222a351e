import type { Tracking } from './activities.js';
import type { TextClassificationResult } from './workflow.js';

/** More trials than this don't fit into one payload with their results; draw from larger grids. */
export const maxTrials = 500;

/** What trials are compared by: a score of the packaged weights on the validation or the test set, under its MLflow key. */
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

/** Input of the `sweep` workflow, as typed after `--input`. */
export interface SweepInput {
  /** Name of a file in the configuration folder, without `.yaml`; default `text_classification_config`. */
  config?: string | undefined;

  /** Hydra-style overrides. Those with several values (`a,b`, `choice()`, `range()`, `interval()`) are what varies. */
  overrides: string[];

  /** Folder of the configuration, absolute on the worker's machine; default the checkout's `conf`, whose groups it always has. */
  configPath?: string;

  /** Where relative paths start, absolute on the worker's machine; default the checkout. */
  cwd?: string;

  /** Draw so many combinations at random; without it all are tried. */
  random?: number | undefined;

  /** Seed of the draw; default 1. The same seed draws the same combinations, and a larger `random` only adds to them. */
  seed?: number | undefined;

  /** Trials at a time; default 2, so that one is prepared while another trains. */
  limit?: number | undefined;

  /** Default `val/f1_macro`. */
  objective?: Objective | undefined;

  /** Written by the workflow alone, when it goes on in a new execution because its history has become long. */
  continued?: ContinuedSweep;
}

/** One combination. */
export interface SweepTrial {
  /** From 1, in the order of the plan. */
  number: number;

  /** The same for the same combination under the same sweep, so that a sweep that is started again finds it. */
  workflowId: string;

  /** What distinguishes it from the others. */
  overrides: string[];
}

export type TrialState = 'waiting' | 'running' | 'done' | 'reused' | 'failed' | 'cancelled';

/** One line of a sweep's table. */
export interface TrialRow extends SweepTrial {
  state: TrialState;

  /** Absent until the trial is done, and when its run has no such score. */
  objective?: number | undefined;

  /** Of the set that the run's report is on. */
  accuracy?: number;
  f1Macro?: number;
  loss?: number;

  mlflowUrl?: string | undefined;

  /** Path of the packaged model. */
  nemo?: string;
  failure?: { type: string; message: string };
}

/** Answer of the `progress` query of a sweep. */
export interface SweepProgress {
  input: SweepInput;
  objective: Objective;
  limit: number;

  /** The best first; then what has no score yet. */
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

  /** The best first; those that failed last. */
  rows: TrialRow[];

  /** Absent when no trial has the objective. */
  best?: TrialRow;
  mlflowRunId?: string | undefined;
  mlflowUrl?: string | undefined;
}

/** What a sweep takes along into its next execution. No trial runs at that time. */
export interface ContinuedSweep {
  plan: Omit<SweepPlan, 'trials'>;
  rows: TrialRow[];
  tracking: Tracking;
}

/** What the `sweep` workflow asks of workers. */
export interface SweepActivities {
  /** Reads what varies, lists or draws the combinations, and checks the configuration of each before anything runs. */
  planSweep: (request: SweepRequest) => Promise<SweepPlan>;

  /** Creates or finds the MLflow run that those of the trials are nested in. Never fails because MLflow is down. */
  startSweepTracking: (sweep: TrackedSweep) => Promise<Tracking>;

  /** Closes it, with the table. Never fails because MLflow is down. */
  finishSweepTracking: (outcome: SweepOutcome) => Promise<Tracking>;

  /** How a trial that was started earlier ended. Fails while it runs, so that it is asked again. */
  awaitTrial: (o: { workflowId: string }) => Promise<TrialEnd>;
}

export interface SweepRequest extends Pick<
  SweepInput,
  'config' | 'configPath' | 'cwd' | 'overrides' | 'random' | 'seed'
> {
  objective: Objective;

  /** Workflow id of the sweep: those of the trials begin with it. */
  sweepId: string;
}

export interface SweepPlan {
  experiment: string;

  /** Overrides that all trials share. */
  fixed: string[];

  /** Each combination once. */
  trials: SweepTrial[];

  /** For people. */
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

  /** Why it failed. */
  message?: string;

  /** The best first. */
  rows: TrialRow[];
}

/** How a trial ended; what did not complete can be started again. */
export type TrialEnd = { completed: true; result: TextClassificationResult } | { completed: false };
