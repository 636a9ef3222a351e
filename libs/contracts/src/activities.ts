import type { MemberResult, StopReason } from './events.js';
import type { ClassificationReport, Finding } from './report.js';
import type { FileRef, KeptArchive, RunScores, Stage, TrainingProgress } from './workflow.js';

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

  /** Trains together with the `train` activity of the run, as a member of its group other than the first. */
  trainMember: (o: TrainRequest) => Promise<MemberResult>;
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

  /** A few words for people, beside the name of the stage. */
  detail: string;

  /** Sentences on what the stage found or decided, each for a line of its own. */
  notes?: string[] | undefined;
};

export interface RunRequest {
  config?: string | undefined;
  overrides?: string[];
  configPath?: string;
  cwd?: string;
  workflowId: string;

  /** Identifies the run among those with the same workflow id; a resumed run keeps its key. */
  runKey: string;

  /** The task queue that the workflow was started on. */
  taskQueue: string;
  redo?: Redo | undefined;
  parentMlflowRunId?: string;

  /** True: the run was started before, and is described only by its folder. */
  begunBefore?: boolean;
}

/** Runs the stages from `from` on again, although their inputs did not change. */
export interface Redo {
  from: Stage;

  /** Distinguishes this repetition from others: the id of the execution that requested it. */
  token: string;
}

/** The description of a run, resolved once. A resumed run reads it from the run's folder. */
export interface ResolvedRun {
  workflowId: string;
  runKey: string;

  /** Folder of this run on the worker's disk: checkpoints, journal, resolved configuration. */
  folder: string;

  /** The folder that NeMo's exp_manager would create: logs, TensorBoard's file, the best checkpoints. Nothing depends on it. */
  logDir: string;

  /** The checkpoint that `exp_manager.resume_if_exists` found, kept in `folder`; training continues from it. */
  resumeFrom?: string;

  /** The resolved configuration, as JSON. */
  config: FileRef;

  /** Digest of every value in the configuration that affects results. */
  configDigest: string;

  /** The environment variables that the configuration refers to, and the keys of the values that depend on them. */
  fromEnvironment?: { names: string[]; keys: string[] };

  experiment: string;

  /** Address of the MLflow server if the configuration names one; otherwise the worker's is used. */
  trackingUri?: string;
  model: string;

  /** Name of the training data. */
  dataset: string;

  /** Where the data comes from. Absent in histories of 0.1.0. */
  sources?: Partial<Record<'train' | 'validation' | 'test', string>>;

  /** Messages for users: values that were interpreted differently from how they were written, and resolved paths. */
  notes: string[];

  /** Id of the state folder with the run's files; see `homeId` in the store. Absent if all workers share the files. */
  home?: string;

  /** Task queues of the stages. `gpuSharesFiles`: workers of the GPU queue see the same disk, so no artifact store is used. */
  queues: { cpu: string; gpu: string; gpuSharesFiles: boolean };

  /** Time without a heartbeat after which a stage is retried on another worker. */
  heartbeatTimeoutMs: number;

  /** The group of processes that train the run; absent if one process trains it. */
  group?: RunGroup;

  /** Stages that `from` repeated, each with the token of its latest repetition, which is part of the hash of its inputs. */
  redone?: Partial<Record<Stage, string>>;
  parentMlflowRunId?: string | undefined;
}

/** The MLflow run. The id and the address are absent while the server is down. */
export interface Tracking {
  runId?: string | undefined;
  url?: string | undefined;

  /** What MLflow does not have, such as a model that could not be registered. */
  warnings?: string[];
}

export interface RunOutcome {
  run: ResolvedRun;
  status: 'FINISHED' | 'FAILED' | 'KILLED';

  /** Why the run failed. */
  message?: string;
  evaluated?: Evaluated;
  packaged?: Packaged;
}

/** Paths of the raw data and the encoder after the download. */
export interface Source {
  /** NeMo's TSV files, if there are any, and the folder that a converter reads or the tables that are converted. */
  data: {
    folder?: string;

    /** Files, or folders of class folders; several of a split are shards. */
    tables?: { train: string[]; validation?: string[]; test?: string[] };
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

  /** `config.json`, if it is not beside the weights (`config_file`, `config`). */
  configFile?: string;

  /** NeMo's `lm_checkpoint`. */
  lmCheckpoint?: string;

  /** Folder with the tokenizer's files. */
  tokenizerFolder?: string;
  vocabFile?: string;

  /** The files that training reads under these paths, for workers on other disks; absent if all workers share the files. */
  passed?: { under: 'path' | 'configFile' | 'lmCheckpoint'; file: FileRef }[];
}

/** NeMo's TSV files, validated; with `pairs`, each line is `text<TAB>text_pair<TAB>label`. */
export interface LabelledData {
  /** True if each example has two texts, which the encoder reads as two segments. */
  pairs?: boolean;

  train: FileRef;
  validation?: FileRef | undefined;
  test?: FileRef | undefined;

  /** One name per line, in the order of the label ids. */
  labels?: FileRef | undefined;
  numClasses: number;

  /** True if the configuration leaves `num_classes` open. */
  numClassesCounted: boolean;
  examples: { train: number; validation?: number; test?: number };

  /** Digest of all these files together. */
  digest: string;
}

/** Everything that training reads. The data is in the content-addressed store, where no other program changes it. */
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

  /** Number of texts that were cut to the longest length. Absent in histories of 0.1.0. */
  truncated?: number;
}

export interface TrainRequest {
  run: ResolvedRun;
  inputs: CachedInputs;
  tokens: TokenizedData;

  /** True after a stopEarly request: training ends at the newest checkpoint instead of continuing. */
  stopEarly: boolean;

  /** The place of this activity in the run's group; absent if one process trains the run. */
  place?: GroupPlace;
}

/** The group of processes that trains a run, see `trainer.num_nodes`. */
export interface RunGroup {
  /** Number of members, 2 or more. */
  size: number;

  /** Seconds to wait for every member at the start. */
  joinTimeoutS: number;

  /** Seconds without an answer after which a member is lost. */
  stepTimeoutS: number;
}

/** A place in a group, which one activity takes. */
export interface GroupPlace {
  /** From 0. Member 0 reads and writes the checkpoints. */
  index: number;

  /** Identifies this start of the group, so that what an activity of an earlier start sends is ignored. */
  token: string;
}

export interface TrainedModel {
  lastWeights: FileRef;
  bestWeights?: FileRef;

  /** Stored trainings of earlier versions have no `epoch`. */
  best?: { monitor: string; value: number; step: number; epoch?: number | undefined };
  step: number;
  epoch: number;
  reason: StopReason;

  /** The logged steps and evaluations in order, as JSON lines. */
  events: FileRef;
}

export interface Evaluated {
  /** The weights that were evaluated and will be packaged. */
  weights: FileRef;
  picked: 'last' | 'best';

  /** Absent, like the report, if there is neither a test nor a validation set. */
  scores?: RunScores;

  /** Scores of the same weights on the validation set, if `scores` are on the test set and training evaluated them. */
  validation?: RunScores;

  /** A ClassificationReport as JSON. */
  reportFile?: FileRef;

  /** Charts of the run, as SVG. */
  charts?: FileRef[];

  /** SampleAnswer[] as JSON: the predictions for `model.infer_samples`. */
  answers?: FileRef;

  /** The evaluations during training and the final one, as JSON lines of EpochEvaluated. */
  evaluations: FileRef;

  /** The report itself, if it is small enough for a payload. */
  report?: ClassificationReport;

  /** Why the model may be useless or worse than necessary; absent if nothing is known against it. */
  findings?: Finding[];

  /** The step of the training after which it had these weights. Absent in histories of 0.1.0. */
  step?: number;

  /** Why the training ended. Absent in histories of 0.1.0. */
  stopReason?: StopReason;
}

/** A model's prediction for one text. */
export interface SampleAnswer {
  text: string;
  labelId: number;
  label: string;

  /** The probability of that label. */
  score: number;
}

export interface Packaged {
  /** The archive at `model.nemo_path`. */
  nemo: FileRef;

  /** Path of the same bytes in the state folder, where no later run overwrites them. Absent in histories of 0.1.0. */
  stored?: string;

  /** The archives of other runs that were in the places of this one. */
  kept?: KeptArchive[];
}

/** The heartbeat details of the train activity. They are only informative: training resumes from the checkpoint on disk. */
export interface TrainHeartbeat extends TrainingProgress {
  /** Path of the newest checkpoint. */
  checkpoint?: string;
}
