import type { StopReason } from './events.js';
import type { ClassificationReport } from './report.js';
import type { FileRef, RunScores, Stage, TrainingProgress } from './workflow.js';

/**
 * What the workflow asks of workers. Everything that crosses is small: files are named by reference, so that a payload
 * stays far from Temporal's limit however large the data is.
 */
export interface RunActivities {
  /** Reads the configuration and settles what the run is. */
  resolveRun: (request: RunRequest) => Promise<ResolvedRun>;

  /** Creates or finds the MLflow run, and logs parameters and tags. Never fails because MLflow is down. */
  startTracking: (run: ResolvedRun) => Promise<Tracking>;

  /** Closes the MLflow run, with its artifacts when there are any. Never fails because MLflow is down. */
  finishTracking: (outcome: RunOutcome) => Promise<Tracking>;

  download: (o: { run: ResolvedRun }) => Promise<StageResult<Source>>;
  convert: (o: { run: ResolvedRun; source: Source }) => Promise<StageResult<LabelledData>>;
  cache: (o: { run: ResolvedRun; source: Source; data: LabelledData }) => Promise<StageResult<CachedInputs>>;
  tokenize: (o: { run: ResolvedRun; inputs: CachedInputs }) => Promise<StageResult<TokenizedData>>;
  train: (o: TrainRequest) => Promise<StageResult<TrainedModel>>;
  evaluate: (o: {
    run: ResolvedRun;
    inputs: CachedInputs;
    tokens: TokenizedData;
    model: TrainedModel;
  }) => Promise<StageResult<Evaluated>>;
  package: (o: {
    run: ResolvedRun;
    inputs: CachedInputs;
    tokens: TokenizedData;
    evaluated: Evaluated;
  }) => Promise<StageResult<Packaged>>;

  /** Brings what a worker of another state folder made to this one; asked only where training shares no files. */
  bringHome: (o: { run: ResolvedRun; evaluated: StageResult<Evaluated> }) => Promise<StageResult<Evaluated>>;
}

/** A stage's output, and how it came about. */
export type StageResult<T> = T & {
  /** True when it had been made before from equal inputs. */
  reused: boolean;

  /** One line for people. */
  detail: string;
};

export interface RunRequest {
  config?: string | undefined;
  overrides?: string[];
  configPath?: string;
  cwd?: string;
  workflowId: string;

  /** Names the run among those of its workflow id; a resumed run keeps it. */
  runKey: string;

  /** The task queue that the workflow was started on. */
  taskQueue: string;
  redo?: Redo | undefined;
  parentMlflowRunId?: string;

  /** The run was begun before, and nothing but its folder says what it is. */
  begunBefore?: boolean;
}

/** Stages from `from` on are made again, though their inputs did not change. */
export interface Redo {
  from: Stage;

  /** Tells this repetition from others; the id of the execution that asked for it. */
  token: string;
}

/** What a run is, settled once. A resumed run reads it again from the run's folder. */
export interface ResolvedRun {
  workflowId: string;
  runKey: string;

  /** Folder of this run on the worker's disk: checkpoints, journal, resolved configuration. */
  folder: string;

  /** Folder that NeMo's exp_manager would make: logs, TensorBoard's file, the best checkpoints. Nothing depends on it. */
  logDir: string;

  /** The checkpoint in `logDir` that `exp_manager.resume_if_exists` found; training goes on from it. */
  resumeFrom?: string;

  /** The resolved configuration, as JSON. */
  config: FileRef;

  /** Digest of everything in it that changes results. */
  configDigest: string;

  experiment: string;

  /** MLflow's server, when the configuration names one; else the worker's. */
  trackingUri?: string;
  model: string;
  dataset: string;

  /** For people: what was read differently from how it was written, and paths as they were resolved. */
  notes: string[];

  /** The state folder that holds its files; see `homeId` in the store. Absent for a run that shares them with all workers. */
  home?: string;

  /** Where the stages run. `gpuSharesFiles`: the GPU queue's workers see the same disk, and no file passes through the artifact store. */
  queues: { cpu: string; gpu: string; gpuSharesFiles: boolean };

  /** How soon a stage that stopped answering is given to another worker. */
  heartbeatTimeoutMs: number;

  /** Stages that `from` asked for again, each with the token of the last time: part of the hash of its inputs from then on. */
  redone?: Partial<Record<Stage, string>>;
  parentMlflowRunId?: string | undefined;
}

/** The MLflow run; both are absent while the server is down. */
export interface Tracking {
  runId?: string | undefined;
  url?: string | undefined;
}

export interface RunOutcome {
  run: ResolvedRun;
  status: 'FINISHED' | 'FAILED' | 'KILLED';

  /** Why it failed. */
  message?: string;
  evaluated?: Evaluated;
  packaged?: Packaged;
}

/** Where the raw data and the encoder are, after the download. */
export interface Source {
  /** NeMo's TSV files where there are any, and the folder that a converter takes. */
  data: {
    folder?: string;
    train?: string | undefined;
    validation?: string | undefined;
    test?: string | undefined;
    labels?: string;
  };
  encoder: EncoderFiles;
}

/** The files of a pretrained encoder and its tokenizer; absolute paths. */
export interface EncoderFiles {
  name: string;

  /** Folder in Hugging Face's layout, or a checkpoint file; absent for random initialisation. */
  path?: string;

  /** `config.json` when it does not lie beside the weights (`config_file`, `config`). */
  configFile?: string;

  /** NeMo's `lm_checkpoint`. */
  lmCheckpoint?: string;

  /** Folder with the tokenizer's files. */
  tokenizerFolder?: string;
  vocabFile?: string;

  /** The files that training reads under the paths above, for workers that don't see them; absent when all do. */
  passed?: { under: 'path' | 'configFile' | 'lmCheckpoint'; file: FileRef }[];
}

/** NeMo's TSV files, checked. */
export interface LabelledData {
  train: FileRef;
  validation?: FileRef | undefined;
  test?: FileRef | undefined;

  /** One name a line, by label id. */
  labels?: FileRef | undefined;
  numClasses: number;

  /** True when the configuration left `num_classes` open. */
  numClassesCounted: boolean;
  examples: { train: number; validation?: number; test?: number };

  /** Digest of all of the files together. */
  digest: string;
}

/** Everything that training reads, in the content-addressed store: nothing outside can change it any more. */
export interface CachedInputs {
  data: LabelledData;
  encoder: EncoderFiles;

  /** Digest of the encoder's files. */
  encoderDigest: string;
}

export interface TokenizedData {
  train: TokenCacheRef;
  validation?: TokenCacheRef;
  test?: TokenCacheRef;

  /** Digest of the tokenizer's files and options. */
  tokenizerDigest: string;
}

export interface TokenCacheRef {
  file: FileRef;
  examples: number;
}

export interface TrainRequest {
  run: ResolvedRun;
  inputs: CachedInputs;
  tokens: TokenizedData;

  /** End at the newest checkpoint in place of going on: what a stopEarly signal asks for. */
  stopEarly: boolean;
}

export interface TrainedModel {
  lastWeights: FileRef;
  bestWeights?: FileRef;
  best?: { monitor: string; value: number; step: number };
  step: number;
  epoch: number;
  reason: StopReason;

  /** JSON lines: the steps and evaluations that were logged, in order. */
  events: FileRef;
}

export interface Evaluated {
  /** The weights that the report is on, and that are packaged. */
  weights: FileRef;
  picked: 'last' | 'best';

  /** Absent, as the report is, when there is neither a test nor a validation set. */
  scores?: RunScores;

  /** The same weights on the validation set, when `scores` are on the test set and training evaluated them. */
  validation?: RunScores;

  /** JSON of a ClassificationReport. */
  reportFile?: FileRef;

  /** Pictures of the run, as SVG. */
  charts?: FileRef[];

  /** JSON of SampleAnswer[]: what the model makes of `model.infer_samples`. */
  answers?: FileRef;

  /** JSON lines of EpochEvaluated: the evaluations during training and this one. */
  evaluations: FileRef;

  /** The report itself, when it is small enough for a payload. */
  report?: ClassificationReport;
}

/** What a model says of one text. */
export interface SampleAnswer {
  text: string;
  labelId: number;
  label: string;

  /** Probability of that label. */
  score: number;
}

export interface Packaged {
  /** At `model.nemo_path`. */
  nemo: FileRef;
}

/** What the train activity tells Temporal in heartbeats. A hint: the checkpoint on disk is the truth. */
export interface TrainHeartbeat extends TrainingProgress {
  /** Path of the newest checkpoint. */
  checkpoint?: string;
}
