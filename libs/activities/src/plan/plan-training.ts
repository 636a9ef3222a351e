import { join, resolve } from 'node:path';
import type { Config } from '@nautil/config';
import type { CachedInputs, ResolvedRun, TokenizedData } from '@nautil/contracts';
import { formatBytes } from '@nautil/store';
import { nautilHome } from '@nautil/store/folders';
import { availableMemory } from '@nautil/store/process';
import {
  countSteps,
  encoderConfigOf,
  type MeasureTrainingOptions,
  statedDevices,
  type StepCounts,
  type TrainingMeasured,
  type TrainingSize,
  trainingSize,
} from '@nautil/training';
import { defaultLogs } from '../check-run.js';
import { configOf } from '../stages/run-settings.js';
import { trainJobOf } from '../stages/train-job.js';
import { planDisk, type PlannedDisk } from './plan-disk.js';
import type { PlannedMemory, PlanOptions, RunPlan } from './run-plan.js';

/** Seconds that the measurement of steps may take; slow steps take longer. */
const budgetSeconds = 15;

/** Expected seconds of the stages from training on. */
type StageSeconds = Record<'train' | 'evaluate' | 'package', number>;

/** Empty if the training was not timed. */
interface ExpectedSeconds {
  each?: Omit<NonNullable<RunPlan['seconds']>, 'total'>;
  stageSeconds?: StageSeconds;
}

/**
 * Predicts what a training and the stages after it need, from some of its steps. They are not measured if the weights alone do not fit
 * into memory.
 */
export async function planTraining(
  run: ResolvedRun,
  { inputs, tokens, folder }: { inputs: CachedInputs; tokens: TokenizedData; folder: string },
  o: PlanOptions,
): Promise<Pick<RunPlan, 'training' | 'memory' | 'disks' | 'problems'> & ExpectedSeconds> {
  const { config } = await configOf(run);
  const { trainer, model } = config;
  const job = await trainJobOf({ run, inputs, tokens, folder: join(folder, 'training') });
  const size = trainingSize(job, await encoderConfigOf(job.encoder));
  const countsWith = (of: { devices: number; done?: number }) =>
    countSteps(config, { rows: tokens.train.examples, validates: tokens.validation !== undefined, ...of });
  const disksFor = (counts: StepCounts) =>
    planDisk({
      ...{ config, size, counts },
      tokensBytes: model.dataset.use_cache ? 0 : bytesOf(tokens),
      home: nautilHome(),
      logDir: logFolder(config, o.cwd),
      archive: model.nemo_path ?? undefined,
      mlflow: isOfThisMachine(run.trackingUri ?? o.trackingUri) ? join(nautilHome(), 'mlflow') : undefined,
    });

  const stated = statedDevices(trainer);
  const copies = trainer.accelerator === 'cpu' ? stated / trainer.num_nodes : 1;
  const heldBytes = size.checkpointBytes * copies;
  const availableBytes = availableMemory();
  const disksBefore = await disksFor(countsWith({ devices: stated }));
  const measured =
    heldBytes > availableBytes
      ? undefined
      : await o.measure({
          ...{ job, availableBytes, budgetSeconds },
          on: evaluatedSplit(tokens, config),
          writesCheckpoint: disksBefore.every(({ freeBytes = Infinity, peakBytes }) => peakBytes <= freeBytes),
        });
  const devices = measured === undefined ? stated : measured.devices * trainer.num_nodes;
  const counts = countsWith({ devices, ...(measured && { done: measured.doneSteps }) });
  const disks = await disksFor(counts);
  const memory: PlannedMemory = {
    // While a checkpoint is written, the steps that follow change copies of the weights and of the optimizer's state.
    peakBytes: measured ? measured.peakBytes + (counts.checkpoints > 1 ? size.checkpointBytes : 0) : heldBytes,
    availableBytes,
    basis: measured === undefined ? 'computed' : measured.fits ? 'measured' : 'extrapolated',
  };
  return {
    training: {
      ...counts,
      epochs: counts.steps / counts.stepsPerEpoch,
      parameters: size.parameters,
      batchSize: model.train_ds.batch_size,
      accumulatedBatches: trainer.accumulate_grad_batches,
      devices,
      ...(measured && {
        device: measured.device,
        largestBatch: measured.largestBatch,
        microBatches: measured.microBatches,
        timedSteps: measured.timedSteps,
      }),
    },
    ...(measured && expectedSeconds(measured, { counts, size })),
    memory,
    disks,
    problems: [...memoryProblems(memory, measured?.largestBatch, config), ...disks.flatMap(diskProblems)],
  };
}

/** The data of the evaluation after the training, as the evaluate stage chooses it. */
function evaluatedSplit(tokens: TokenizedData, { model, trainer }: Config): MeasureTrainingOptions['on'] {
  if (tokens.test) return { cache: tokens.test.file.path, dataset: model.test_ds, limit: trainer.limit_test_batches };
  if (tokens.validation)
    return { cache: tokens.validation.file.path, dataset: model.validation_ds, limit: trainer.limit_val_batches };
  return undefined;
}

function expectedSeconds(
  measured: TrainingMeasured,
  { counts, size }: { counts: StepCounts; size: TrainingSize },
): ExpectedSeconds {
  const { secondsToOpen, secondsPerStep, secondsPerEvaluation, secondsPerCheckpoint = 0 } = measured;
  if (secondsPerStep === undefined) return {};
  const { steps, evaluations, checkpoints } = counts;
  const secondsPerWeights = (secondsPerCheckpoint / size.checkpointBytes) * size.weightsBytes;
  return {
    each: {
      perStep: secondsPerStep,
      ...(secondsPerEvaluation !== undefined && { perEvaluation: secondsPerEvaluation }),
    },
    stageSeconds: {
      train:
        secondsToOpen +
        steps * secondsPerStep +
        evaluations * (secondsPerEvaluation ?? 0) +
        checkpoints * secondsPerCheckpoint +
        secondsPerWeights,
      evaluate: secondsToOpen + (measured.secondsOfFinalEvaluation ?? 0),
      // The archive is written, hashed, and placed; then the checkpoints lose the state of the optimizer.
      package: secondsPerWeights * (2 + Math.min(evaluations, 4)),
    },
  };
}

function logFolder({ exp_manager }: Config, cwd: string): string {
  const { explicit_log_dir, exp_dir } = exp_manager;
  const isExplicit = explicit_log_dir !== null && explicit_log_dir !== '';
  return resolve(cwd, isExplicit ? explicit_log_dir : (exp_dir ?? defaultLogs));
}

const isOfThisMachine = (address: string): boolean =>
  ['localhost', '127.0.0.1', '[::1]'].includes(new URL(address).hostname);

const bytesOf = ({ train, validation, test }: TokenizedData): number =>
  [train, validation, test].reduce((sum, split) => sum + (split?.file.sizeBytes ?? 0), 0);

function memoryProblems(
  { peakBytes, availableBytes }: PlannedMemory,
  largestBatch: TrainingMeasured['largestBatch'] | undefined,
  { model }: Config,
): RunPlan['problems'] {
  if (peakBytes <= availableBytes) return [];
  const sizes = `${formatBytes(peakBytes)} of memory, and ${formatBytes(availableBytes)} are available`;
  if (largestBatch === undefined)
    return [
      {
        kind: 'fit',
        message: `the weights and the state of the optimizer alone need ${sizes}`,
        hint: 'use a smaller encoder, or a machine with more memory',
      },
    ];
  const { rows, length } = largestBatch;
  return [
    {
      kind: 'fit',
      message: `training on a batch of ${rows} × ${length} tokens needs about ${sizes}`,
      hint: `set model.train_ds.batch_size to less than ${model.train_ds.batch_size} (with trainer.accumulate_grad_batches for the same number of rows in a step), or model.dataset.max_seq_length to less than ${length}`,
    },
  ];
}

function diskProblems({ folders, peakBytes, freeBytes = Infinity }: PlannedDisk): RunPlan['problems'] {
  if (peakBytes <= freeBytes) return [];
  return [
    {
      kind: 'fit',
      message: `${folders.join(', ')}: the run writes up to ${formatBytes(peakBytes)}, and ${formatBytes(freeBytes)} are free`,
      hint: '`npx nautil store gc --dry-run` lists what Nautil itself can delete; exp_manager.checkpoint_callback_params.save_top_k=1 keeps fewer checkpoints',
    },
  ];
}
