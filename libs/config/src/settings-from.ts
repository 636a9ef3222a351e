import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { missing } from './config-node.js';
import { configSchema, type Config } from './schema/config-schema.js';
import { complete } from './schema/lookup.js';
import { optimizers, type Optimizer } from './schema/optimizers.js';
import type {
  DatasetSettings,
  ExpManagerSettings,
  Limit,
  ModelSettings,
  NautilSettings,
  OptimSettings,
  SchedSettings,
  Settings,
  TrainerSettings,
} from './settings.js';

/**
 * NeMo's snake_case tree as Settings. Keys left out get what NeMo's code takes then; nothing is checked and no path is resolved,
 * which is loadConfig's work. Of numbers of batches, whole ones from 2 and the text "1" are counts, the others fractions.
 */
export function settingsFrom(tree: JsonObject): Settings {
  // Safe since `complete` gives each key of the schema a value, and loadConfig has checked those that came from people.
  const config = complete(configSchema, withoutMissing(tree)) as unknown as Config;
  const section = isJsonObject(tree['model']) ? tree['model'] : {};
  return {
    trainer: trainerFrom(config),
    model: modelFrom(config, section),
    expManager: expManagerFrom(config),
    nautil: nautilFrom(config),
  };
}

function trainerFrom({ trainer }: Config): TrainerSettings {
  const interval = limitFrom(trainer.val_check_interval);
  const accelerator = trainer.accelerator === 'cuda' ? 'gpu' : trainer.accelerator;
  return {
    devices: devicesFrom(trainer.devices, accelerator),
    numNodes: trainer.num_nodes,
    accelerator: accelerator === 'cpu' || accelerator === 'gpu' ? accelerator : 'auto',
    maxEpochs: trainer.max_epochs ?? -1,
    maxSteps: trainer.max_steps ?? -1,
    accumulateGradBatches: trainer.accumulate_grad_batches,
    gradientClipVal: trainer.gradient_clip_val ?? 0,
    precision: String(trainer.precision).startsWith('bf16') ? 'bf16' : '32',
    logEveryNSteps: trainer.log_every_n_steps ?? 0,
    valCheckInterval: interval.value,
    valCheckIntervalIsFraction: interval.isFraction,
    limitTrainBatches: limitFrom(trainer.limit_train_batches),
    limitValBatches: limitFrom(trainer.limit_val_batches),
    limitTestBatches: limitFrom(trainer.limit_test_batches),
    numSanityValSteps: trainer.num_sanity_val_steps,
  };
}

// null is Lightning's word for all. The text "1" is one batch: see plainTree.
function limitFrom(value: number | string | null): Limit {
  if (value === null) return { value: 1, isFraction: true };
  if (typeof value === 'string') return { value: Number(value), isFraction: false };
  return { value, isFraction: !Number.isInteger(value) || value <= 1 };
}

// Lightning's spellings: 2, [0, 1], '2' (a count), '0,1' (indexes), -1 and auto (all; on a CPU auto is one).
function devicesFrom(devices: number | number[] | string, accelerator: string | null): number | number[] {
  if (typeof devices !== 'string') return devices;
  if (devices === 'auto') return accelerator === 'cpu' ? 1 : -1;
  return devices.includes(',') ? devices.split(',').map(Number) : Number(devices);
}

function modelFrom({ model }: Config, section: JsonObject): ModelSettings {
  return {
    nemoPath: model.nemo_path,
    tokenizer: {
      tokenizerName: model.tokenizer.tokenizer_name ?? model.language_model.pretrained_model_name,
      vocabFile: model.tokenizer.vocab_file,
      specialTokens: model.tokenizer.special_tokens,
    },
    languageModel: {
      pretrainedModelName: model.language_model.pretrained_model_name ?? '',
      lmCheckpoint: model.language_model.lm_checkpoint,
      configFile: model.language_model.config_file,
      config: model.language_model.config,
    },
    classifierHead: {
      numOutputLayers: model.classifier_head.num_output_layers,
      fcDropout: model.classifier_head.fc_dropout,
    },
    classLabels: { classLabelsFile: model.class_labels.class_labels_file },
    dataset: {
      numClasses: model.dataset.num_classes,
      doLowerCase: model.dataset.do_lower_case,
      maxSeqLength: model.dataset.max_seq_length,
      classBalancing: model.dataset.class_balancing,
      useCache: model.dataset.use_cache,
    },
    trainDs: datasetFrom(model.train_ds),
    validationDs: datasetFrom(model.validation_ds),
    testDs: datasetFrom(model.test_ds),
    optim: optimFrom(model.optim.name, isJsonObject(section['optim']) ? section['optim'] : {}),
    inferSamples: model.infer_samples ?? [],
  };
}

function datasetFrom(dataset: Config['model']['train_ds']): DatasetSettings {
  return {
    filePath: dataset.file_path,
    batchSize: dataset.batch_size,
    shuffle: dataset.shuffle,
    numSamples: dataset.num_samples,
    numWorkers: dataset.num_workers,
    dropLast: dataset.drop_last,
    pinMemory: dataset.pin_memory,
  };
}

// What an optimizer takes for a key that is left out depends on the optimizer, so that its own table fills it in.
function optimFrom(name: OptimSettings['name'], section: JsonObject): OptimSettings {
  const known: Optimizer = optimizers[name];
  const own = { ...known, ...pick(section, Object.keys(known)) };
  const { lr, betas, eps, weight_decay: weightDecay, ...extra } = own;
  return {
    name,
    lr: numberOr(lr, 0),
    betas: pairOr(betas, [0.9, 0.999]),
    eps: numberOr(eps, 0),
    weightDecay: numberOr(weightDecay, 0),
    extra: { ...extra, ...(Array.isArray(eps) ? { eps } : {}), ...(lr === null ? { lr: null } : {}) },
    sched: schedFrom(section['sched']),
  };
}

function schedFrom(sched: JsonValue | undefined): SchedSettings | null {
  if (!isJsonObject(sched)) return null;
  const { name, warmup_steps, warmup_ratio, min_lr, last_epoch, monitor, reduce_on_plateau, ...extra } = sched;
  return {
    name: typeof name === 'string' ? name : 'WarmupAnnealing',
    warmupSteps: typeof warmup_steps === 'number' ? warmup_steps : null,
    warmupRatio: typeof warmup_ratio === 'number' ? warmup_ratio : null,
    minLr: numberOr(min_lr, 0),
    lastEpoch: numberOr(last_epoch, -1),
    monitor: typeof monitor === 'string' ? monitor : 'val_loss',
    reduceOnPlateau: reduce_on_plateau === true,
    extra,
  };
}

function expManagerFrom({ exp_manager: manager }: Config): ExpManagerSettings {
  const checkpoint = manager.checkpoint_callback_params;
  const early = manager.early_stopping_callback_params;
  return {
    expDir: manager.exp_dir,
    explicitLogDir: manager.explicit_log_dir,
    name: manager.name ?? 'default',
    version: manager.version === null ? null : String(manager.version),
    useDatetimeVersion: manager.use_datetime_version ?? true,
    resumeIfExists: manager.resume_if_exists,
    resumePastEnd: manager.resume_past_end,
    resumeIgnoreNoCheckpoint: manager.resume_ignore_no_checkpoint,
    createTensorboardLogger: manager.create_tensorboard_logger,
    createCheckpointCallback: manager.create_checkpoint_callback,
    checkpointCallback: {
      monitor: checkpoint.monitor,
      mode: checkpoint.mode,
      saveTopK: checkpoint.save_top_k,
      saveLast: checkpoint.save_last ?? false,
      everyNEpochs: checkpoint.every_n_epochs ?? 1,
      saveBestModel: checkpoint.save_best_model,
      saveNemoOnTrainEnd: checkpoint.save_nemo_on_train_end,
      postfix: checkpoint.postfix,
    },
    createEarlyStoppingCallback: manager.create_early_stopping_callback,
    earlyStoppingCallback: {
      monitor: early.monitor,
      mode: early.mode,
      patience: early.patience,
      minDelta: early.min_delta,
    },
  };
}

function nautilFrom({ nautil, exp_manager: manager }: Config): NautilSettings {
  const mlflow = manager.mlflow_logger_kwargs;
  return {
    seed: nautil.seed,
    checkpointEveryNSteps: nautil.checkpoint_every_n_steps,
    data: { ...nautil.data },
    tokenization: { ...nautil.tokenization },
    batches: {
      bucketByLength: nautil.batches.bucket_by_length,
      lengthMultiple: nautil.batches.length_multiple,
      nemoPadding: nautil.batches.nemo_padding,
    },
    mlflow: {
      trackingUri: nautil.mlflow.tracking_uri ?? mlflow.tracking_uri,
      experiment: nautil.mlflow.experiment ?? mlflow.experiment_name,
      registeredModelName: nautil.mlflow.registered_model_name,
    },
    intraOpThreads: nautil.intra_op_threads,
    onednn: nautil.onednn,
  };
}

// `???` in a place that can do without is the same as leaving the key out.
function withoutMissing(tree: JsonObject): JsonObject {
  const kept = Object.entries(tree)
    .filter(([, value]) => value !== missing)
    .map(([key, value]) => [key, isJsonObject(value) ? withoutMissing(value) : value] as const);
  return Object.fromEntries(kept);
}

function pick(section: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(section).filter(([key]) => keys.includes(key)));
}

function numberOr(value: JsonValue | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function pairOr(value: JsonValue | undefined, otherwise: [number, number]): [number, number] {
  const [first, second] = Array.isArray(value) ? value : otherwise;
  return [numberOr(first, otherwise[0]), numberOr(second, otherwise[1])];
}
