import type { CheckpointSaved, TrainEvent } from '@nautil/contracts';
import { claimFence } from '@nautil/store';
import { openTokenCache } from '@nautil/tokenization';
import { batchesOf, type BatchSource, compiledLengthMultiple, paddedLengths } from './batches.js';
import { type InitialClassifier, openInitialClassifier } from './encoder-source.js';
import { NoTrainingBatch } from './errors.js';
import { evaluationPoints } from './evaluation-points.js';
import type { TrainJob } from './job.js';
import { LearningRate } from './learning-rate.js';
import { type RunLength, runLengthOf } from './schedule.js';
import { TrainingCheckpoints } from './training-checkpoints.js';

/** Receives the events of a training. Training waits for it, so a slow listener does not fill memory with events. */
export interface TrainListener {
  /** Live: as it happens. Steps and evaluations may be lost in a crash and computed again. */
  onProgress?(event: TrainEvent): void | Promise<void>;

  /** Durable: once a checkpoint is on disk. A resumed training repeats the last one. */
  onCommitted?(checkpoint: CheckpointSaved): void | Promise<void>;
}

/** What the number of rows of a batch determines. */
export interface TrainingPlan {
  train: BatchSource;
  length: RunLength;
  learningRate: LearningRate;

  /** Numbers of batches of an epoch after which the model is evaluated. */
  evaluationPoints: number[];

  /** The lengths of batches for each of which XLA compiles the training step; empty when it does not. */
  compiledLengths: number[];
}

/** The parts of a run that do not change while it is trained. */
export interface TrainingRun {
  job: TrainJob;
  checkpoints: TrainingCheckpoints;
  initial: InitialClassifier;
  validation: BatchSource | undefined;

  /** Whether the examples are pairs of texts. */
  pairs: boolean;
  trainExamples: number;
  validationExamples: number;

  /**
   * @param batchSize - rows of a batch, of all devices together
   * @throws NoTrainingBatch when the training data does not fill one
   */
  plan(batchSize: number): TrainingPlan;

  /** The line in the training file of a row of the cache. */
  lineOf(row: number): number;
  close(): Promise<void>;
}

/** Opens a job's data and first weights, and takes over its folder: earlier attempts can no longer write to it. */
export async function openTrainingRun(job: TrainJob): Promise<TrainingRun> {
  const { trainer, model, nautil } = job.config;
  const checkpoints = new TrainingCheckpoints(job.folder, job.digests, await claimFence(job.folder));
  const head = { numClasses: job.numClasses, numOutputLayers: model.classifier_head.num_output_layers };
  const initial = await openInitialClassifier(job.encoder, head, nautil.seed);
  const maxPositions = initial.encoder.maxLength;
  const trainCache = openTokenCache(job.trainCache);
  const validationCache = job.validationCache === undefined ? undefined : openTokenCache(job.validationCache);
  const validation =
    validationCache &&
    batchesOf(validationCache, {
      dataset: model.validation_ds,
      limit: trainer.limit_val_batches,
      nautil,
      maxPositions,
    });
  return {
    job,
    checkpoints,
    initial,
    validation,
    pairs: trainCache.pairs,
    trainExamples: trainCache.count,
    validationExamples: validationCache?.count ?? 0,
    plan(batchSize) {
      const dataset = { ...model.train_ds, batch_size: batchSize };
      const { length_multiple: configured } = nautil.batches;
      const lengthMultiple = trainer.compile ? compiledLengthMultiple(trainCache.lengths, configured) : configured;
      const padding = { ...nautil.batches, length_multiple: lengthMultiple };
      const train = batchesOf(trainCache, {
        dataset,
        limit: trainer.limit_train_batches,
        nautil: { ...nautil, batches: padding },
        maxPositions,
      });
      const { batchesPerEpoch } = train;
      if (batchesPerEpoch === 0) throw new NoTrainingBatch(trainCache.count, batchSize);
      const length = runLengthOf({ batchesPerEpoch, trainer, sched: model.optim.sched });
      return {
        train,
        length,
        learningRate: new LearningRate(model.optim, length),
        evaluationPoints: validation ? evaluationPoints(batchesPerEpoch, trainer.val_check_interval) : [],
        compiledLengths: trainer.compile ? paddedLengths(trainCache.lengths, { lengthMultiple, maxPositions }) : [],
      };
    },
    lineOf: (row) => trainCache.line(row),
    async close() {
      trainCache.close();
      validationCache?.close();
      await initial.close();
    },
  };
}
