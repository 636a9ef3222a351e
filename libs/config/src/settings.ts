/**
 * The resolved configuration as the rest of Nautil reads it: camelCase, complete, validated. Made once from NeMo's
 * snake_case tree; each field keeps the meaning of the key named beside it.
 */
export interface Settings {
  trainer: TrainerSettings;
  model: ModelSettings;
  expManager: ExpManagerSettings;
  nautil: NautilSettings;
}

/** `trainer.*`: PyTorch Lightning's names and meanings. */
export interface TrainerSettings {
  /** `devices`: a count, or device indexes (`gpus=[0,1]`). */
  devices: number | number[];
  numNodes: number;
  accelerator: 'cpu' | 'gpu' | 'auto';
  maxEpochs: number;

  /** Optimizer steps; -1 for no limit. */
  maxSteps: number;
  accumulateGradBatches: number;

  /** 0 is off. */
  gradientClipVal: number;
  precision: '32' | 'bf16';
  logEveryNSteps: number;

  /** A fraction of an epoch (0–1], or a number of batches (an integer ≥ 1 written without a dot); see `valCheckIntervalIsFraction`. */
  valCheckInterval: number;
  valCheckIntervalIsFraction: boolean;

  /** How much of the loader to use: a fraction when `isFraction`, else a number of batches. */
  limitTrainBatches: Limit;
  limitValBatches: Limit;
  limitTestBatches: Limit;
  numSanityValSteps: number;
}

export interface Limit {
  value: number;
  isFraction: boolean;
}

/** `model.*`: NeMo's TextClassification model. */
export interface ModelSettings {
  /** `nemo_path`: where the packaged model goes. */
  nemoPath: string | null;
  tokenizer: {
    tokenizerName: string | null;
    vocabFile: string | null;
    specialTokens: Record<string, string> | null;
  };
  languageModel: {
    /** A folder, a hub name, or the name of an installed model. */
    pretrainedModelName: string;
    lmCheckpoint: string | null;
    configFile: string | null;
    config: Record<string, unknown> | null;
  };
  classifierHead: { numOutputLayers: number; fcDropout: number };
  classLabels: { classLabelsFile: string | null };
  dataset: {
    /** null: counted from the training labels. */
    numClasses: number | null;
    doLowerCase: boolean;
    maxSeqLength: number;
    classBalancing: 'weighted_loss' | null;
    useCache: boolean;
  };
  trainDs: DatasetSettings;
  validationDs: DatasetSettings;
  testDs: DatasetSettings;
  optim: OptimSettings;
  inferSamples: string[];
}

export interface DatasetSettings {
  filePath: string | null;
  batchSize: number;
  shuffle: boolean;

  /** First N lines; -1 or 0 for all. */
  numSamples: number;
  numWorkers: number;
  dropLast: boolean;
  pinMemory: boolean;
}

/** `model.optim.*`; keys that an optimizer does not know are refused by the config lib. */
export interface OptimSettings {
  name: 'adam' | 'adamw' | 'sgd' | 'adadelta' | 'adamax' | 'adagrad' | 'rmsprop' | 'rprop' | 'novograd' | 'adafactor';
  lr: number;
  betas: [number, number];
  eps: number;
  weightDecay: number;

  /** Every other key of the section, snake_case, for optimizers that have more (momentum, alpha, …). */
  extra: Record<string, unknown>;
  sched: SchedSettings | null;
}

/** `model.optim.sched.*`. */
export interface SchedSettings {
  name: string;
  warmupSteps: number | null;
  warmupRatio: number | null;
  minLr: number;
  lastEpoch: number;
  monitor: string;
  reduceOnPlateau: boolean;

  /** Every other key, snake_case (hold_steps, power, gamma, …). */
  extra: Record<string, unknown>;
}

/** `exp_manager.*`. */
export interface ExpManagerSettings {
  expDir: string | null;
  explicitLogDir: string | null;
  name: string;
  version: string | null;
  useDatetimeVersion: boolean;
  resumeIfExists: boolean;
  resumePastEnd: boolean;
  resumeIgnoreNoCheckpoint: boolean;
  createTensorboardLogger: boolean;
  createCheckpointCallback: boolean;
  checkpointCallback: {
    monitor: string;
    mode: 'min' | 'max';
    saveTopK: number;
    saveLast: boolean;
    everyNEpochs: number;
    saveBestModel: boolean;
    saveNemoOnTrainEnd: boolean;
    postfix: string;
  };
  createEarlyStoppingCallback: boolean;
  earlyStoppingCallback: { monitor: string; mode: 'min' | 'max'; patience: number; minDelta: number };
}

/** `nautil.*`: what NeMo has no key for. */
export interface NautilSettings {
  /** Fixes initialisation, order and dropout. */
  seed: number;

  /** Optimizer steps between checkpoints that a killed run goes on from; 0: at the ends of epochs only. */
  checkpointEveryNSteps: number;

  /** Where the data comes from before it is NeMo's TSV (`data=sst-2` and so on set these). */
  data: {
    /** `nemo` when files are NeMo's TSV already, else a converter's name. */
    format: 'nemo' | 'sst-2' | 'chemprot' | 'imdb' | 'thucnews';

    /** Folder, file, archive, http(s) address or hub name; null when `format` is `nemo` and the files are given. */
    source: string | null;

    /** Expected sha256 of a downloaded file. */
    sha256: string | null;
  };

  tokenization: {
    /** `standard`: the tokenizer's own way. `nemo`: word by word, as NeMo does (what the files of NeMo were made with). */
    mode: 'standard' | 'nemo';
  };

  batches: {
    /** Group rows of like length; batches stay a pure function of (seed, step). */
    bucketByLength: boolean;

    /** Padded lengths are multiples of this: fewer graphs. */
    lengthMultiple: number;

    /** Padding is attended by RoBERTa as in NeMo (its pad id is 1 and pads the mask too). */
    nemoPadding: boolean;
  };

  mlflow: { trackingUri: string | null; experiment: string | null; registeredModelName: string | null };

  /** Threads of one TensorFlow operation; 0: all cores. */
  intraOpThreads: number;

  /** Use oneDNN's CPU kernels; changes rounding, so it belongs to the recorded configuration. */
  onednn: boolean;
}
