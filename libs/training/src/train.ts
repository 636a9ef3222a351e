import { optimizerOptions } from '@nautil/config';
import type { EpochEvaluated, TrainDone, TrainEvent, TrainStepped } from '@nautil/contracts';
import { improves, monitored } from '@nautil/metrics';
import { maxLength } from '@nautil/model';
import { claimFence } from '@nautil/store';
import { OutOfMemory } from '@nautil/tensorflow';
import { openTokenCache, type TokenCache } from '@nautil/tokenization';
import { batchesOf, microBatchesOf, type BatchSource } from './batches.js';
import { chooseDevice } from './choose-device.js';
import { openInitialClassifier, type InitialClassifier } from './encoder-source.js';
import { BatchDidNotFit, BatchTooLarge, LossNotFinite, TrainingInterrupted, WeightsNotFinite } from './errors.js';
import { evaluate } from './evaluate.js';
import { evaluationPoints } from './evaluation-points.js';
import { faultPoint } from './fault-point.js';
import type { TrainJob } from './job.js';
import { createTrainableModel, type TrainableModel } from './model.js';
import { patienceAfter, plateauAfter } from './monitor.js';
import { RunFolder, type Progress } from './run-folder.js';
import { runLengthOf, scheduleOf, type RunLength, type Schedule } from './schedule.js';
import { Speedometer } from './speedometer.js';

/** What the caller may ask of a running training; looked at between steps. */
export interface TrainControl {
  /** `early`: end now and keep what there is. `interrupt`: write a checkpoint and throw TrainingInterrupted. */
  stop?: 'early' | 'interrupt';
}

/** Awaited, so that a slow subscriber slows training down rather than filling memory. */
export type Emit = (event: TrainEvent) => void | Promise<void>;

/**
 * Fine-tunes a classifier, from its last checkpoint if there is one.
 *
 * The run is a pure function of the job: the batch of a step depends on (seed, step), dropout on (seed, step, site,
 * row). A run that was killed at any step therefore ends with the bytes of one that never was.
 *
 * @throws TrainingInterrupted when `control.stop` is `interrupt`; LossNotFinite; WeightsNotFinite; BatchTooLarge; CheckpointMismatch.
 */
export async function trainClassifier(job: TrainJob, emit: Emit, control: TrainControl = {}): Promise<TrainDone> {
  const run = await openRun(job);
  try {
    let split: number | undefined;
    for (;;) {
      const attempt = await Attempt.open(run, emit, control, split);
      try {
        return await attempt.train();
      } catch (error) {
        // Part of an update may have been applied: what is on disk is the only state to trust.
        if (!(error instanceof BatchDidNotFit)) throw error;
        if (error.rows <= 1) throw new BatchTooLarge(error.rows, error.length, error.cause);
        split = error.split * 2;
        await emit({
          type: 'warning',
          message: `a batch of ${error.rows} × ${error.length} tokens does not fit into memory: going on with ${split} micro-batches a batch (the same effective batch)`,
        });
      } finally {
        attempt.close();
      }
    }
  } finally {
    await run.close();
  }
}

/** What stays the same however often a run is attempted. */
interface Run {
  job: TrainJob;
  folder: RunFolder;
  initial: InitialClassifier;
  trainCache: TokenCache;
  validationCache?: TokenCache | undefined;
  train: BatchSource;
  validation?: BatchSource | undefined;
  length: RunLength;
  schedule: Schedule;

  /** Batch counts within an epoch after which the validation set is evaluated. */
  evaluations: number[];
  close(): Promise<void>;
}

async function openRun(job: TrainJob): Promise<Run> {
  const { trainer, model, nautil } = job.config;
  const folder = new RunFolder(job.folder, job.digests, await claimFence(job.folder));
  const head = { numClasses: job.numClasses, numOutputLayers: model.classifier_head.num_output_layers };
  const initial = await openInitialClassifier(job.encoder, head, nautil.seed);
  const maxPositions = maxLength(initial.encoder);
  const trainCache = openTokenCache(job.trainCache);
  const validationCache = job.validationCache === undefined ? undefined : openTokenCache(job.validationCache);
  const train = batchesOf(trainCache, {
    dataset: model.train_ds,
    limit: trainer.limit_train_batches,
    nautil,
    maxPositions,
  });
  const validation =
    validationCache &&
    batchesOf(validationCache, {
      dataset: model.validation_ds,
      limit: trainer.limit_val_batches,
      nautil,
      maxPositions,
    });
  const length = runLengthOf({ batchesPerEpoch: train.batchesPerEpoch, trainer });
  return {
    job,
    folder,
    initial,
    trainCache,
    validationCache,
    train,
    validation,
    length,
    schedule: scheduleOf(model.optim, length.scheduled),
    evaluations: validation ? evaluationPoints(train.batchesPerEpoch, trainer.val_check_interval) : [],
    async close() {
      trainCache.close();
      validationCache?.close();
      await initial.close();
    },
  };
}

/** One go at a run, from what is on disk to the end or to the first error. */
class Attempt {
  readonly #run: Run;
  readonly #model: TrainableModel;
  readonly #emit: Emit;
  readonly #control: TrainControl;
  readonly #progress: Progress;
  readonly #speed = new Speedometer();

  /** Path of the newest checkpoint, and whether it holds all that was done. */
  #checkpointPath: string | undefined;
  #dirty: boolean;

  private constructor(
    run: Run,
    model: TrainableModel,
    emit: Emit,
    control: TrainControl,
    progress: Progress,
    checkpointPath?: string,
  ) {
    this.#run = run;
    this.#model = model;
    this.#emit = emit;
    this.#control = control;
    this.#progress = progress;
    this.#checkpointPath = checkpointPath;
    this.#dirty = checkpointPath === undefined;
  }

  static async open(run: Run, emit: Emit, control: TrainControl, forcedSplit?: number): Promise<Attempt> {
    const { job, initial, length } = run;
    const { trainer, nautil } = job.config;
    const { name: device, warnings } = chooseDevice(trainer, nautil);
    const { weights, forward, trainStep } = createTrainableModel(job, initial.encoder, device);
    const damaged: string[] = [];
    const saved =
      (await run.folder.latest((message) => damaged.push(message))) ??
      (job.resumeFrom === undefined ? undefined : await run.folder.earlier(job.resumeFrom));
    try {
      if (saved) {
        await weights.load(saved.readWeight);
        await trainStep.loadSlots(saved.readSlot);
      } else {
        await weights.load(initial.read);
        await trainStep.loadSlots();
      }
    } finally {
      await saved?.close();
    }
    const progress: Progress = saved?.progress ?? { step: 0, split: 1, events: [] };
    progress.split = forcedSplit ?? progress.split;
    const attempt = new Attempt(run, { weights, forward, trainStep }, emit, control, progress, saved?.path);
    await emit({
      type: 'start',
      step: progress.step,
      totalSteps: length.total,
      stepsPerEpoch: length.stepsPerEpoch,
      epochs: trainer.max_epochs ?? -1,
      trainExamples: run.trainCache.count,
      validationExamples: run.validationCache?.count ?? 0,
      trainableParameters: weights.trainableParameters,
      device,
      resumedFrom: saved?.path,
    });
    // What was said of the device stands when batches are cut smaller: the last word is why.
    for (const message of [...damaged, ...(forcedSplit === undefined ? warnings : [])])
      await emit({ type: 'warning', message });
    // Said again, since a crash may have come between the checkpoint and its log: the rows are the same.
    if (saved) await attempt.#announce({ path: saved.path, sizeBytes: saved.sizeBytes });
    return attempt;
  }

  async train(): Promise<TrainDone> {
    const { length, evaluations, job } = this.#run;
    const every = job.config.nautil.checkpoint_every_n_steps;
    while (this.#progress.step < length.total && this.#progress.stopped === undefined) {
      if (this.#control.stop === 'interrupt')
        throw new TrainingInterrupted(this.#progress.step, await this.#checkpoint());
      if (this.#control.stop === 'early') {
        this.#finishEarly('stopped');
        break;
      }

      // 1) the batches of this optimizer step
      const { epoch, first, last } = this.#placeOf(this.#progress.step);

      // 2) evaluations that Lightning makes between the micro-steps see the weights of before the step
      for (const point of evaluations) if (first < point && point < last) await this.#evaluate(epoch);

      // 3) forward, backward, update
      await this.#step(epoch, first, last);

      // 4) evaluate, checkpoint
      const evaluated = evaluations.includes(last);
      if (evaluated) await this.#evaluate(epoch);
      if (evaluated || (every > 0 && this.#progress.step % every === 0)) await this.#checkpoint();
    }
    return this.#finish();
  }

  close(): void {
    this.#model.weights.close();
  }

  /** Batches [first, last) of the epoch that optimizer step `step` (from 0) sums. */
  #placeOf(step: number): { epoch: number; first: number; last: number } {
    const { length, train, job } = this.#run;
    const accumulate = job.config.trainer.accumulate_grad_batches;
    const first = (step % length.stepsPerEpoch) * accumulate;
    return {
      epoch: Math.floor(step / length.stepsPerEpoch),
      first,
      last: Math.min(first + accumulate, train.batchesPerEpoch),
    };
  }

  async #step(epoch: number, first: number, last: number): Promise<void> {
    const { job, train, schedule, length } = this.#run;
    const { accumulate_grad_batches, log_every_n_steps } = job.config.trainer;
    const { step, split, plateau } = this.#progress;
    const lr = schedule(step) * (plateau?.factor ?? 1);
    const share = 1 / accumulate_grad_batches;
    const batches = Array.from({ length: last - first }, (_, i) => train.at(epoch, first + i));
    const parts = batches.flatMap((batch) => microBatchesOf(batch, { split, share, classWeights: job.classWeights }));

    const update = async () => {
      await faultPoint(`train step ${step + 1}`);
      return this.#model.trainStep.run(parts, { step, lr });
    };
    const { losses, gradNorm } = await update().catch((error: unknown) => {
      if (!(error instanceof OutOfMemory)) throw error;
      const largest = parts.reduce((a, b) => (b.batch.ids.length > a.batch.ids.length ? b : a)).batch;
      throw new BatchDidNotFit(largest.paddedRows, largest.length, split, error);
    });
    const loss = losses.reduce((a, b) => a + b, 0) / (share * batches.length);
    if (!Number.isFinite(loss)) {
      const lines = batches.flatMap((batch) => Array.from(batch.rows, (row) => this.#run.trainCache.line(row)));
      throw new LossNotFinite({ step: step + 1, loss, lines, lr, checkpoint: this.#checkpointPath });
    }

    this.#progress.step += 1;
    this.#dirty = true;
    const speed = this.#speed.after(
      sum(batches, (batch) => batch.size),
      sum(batches, (batch) => batch.tokens),
    );
    const event: TrainStepped = {
      type: 'step',
      step: this.#progress.step,
      epoch,
      loss,
      lr,
      ...(gradNorm === undefined ? {} : { gradNorm }),
      examplesPerSecond: speed.examplesPerSecond,
      tokensPerSecond: speed.tokensPerSecond,
      secondsLeft: speed.secondsPerStep * (length.total - this.#progress.step),
      timestampMs: Date.now(),
    };
    if (this.#progress.step % (log_every_n_steps ?? 0) === 0) this.#progress.events.push(event);
    await this.#emit(event);
  }

  async #evaluate(epoch: number): Promise<void> {
    const { job, validation, folder } = this.#run;
    await faultPoint(`evaluation step ${this.#progress.step}`);
    const { exp_manager: manager } = job.config;
    const evaluation = await evaluate(this.#model.forward, validation!, job);
    const event: EpochEvaluated = {
      type: 'eval',
      split: 'val',
      step: this.#progress.step,
      epoch,
      ...evaluation,
      timestampMs: Date.now(),
    };
    this.#progress.events.push(event);
    this.#dirty = true;

    const { monitor, mode } = manager.checkpoint_callback_params;
    const value = monitored(monitor, event);
    if (
      value !== undefined &&
      (this.#progress.best === undefined || improves(value, this.#progress.best.value, mode))
    ) {
      const { step } = this.#progress;
      await folder.saveBest(step, await this.#model.weights.readAll());
      this.#progress.best = { monitor, value, step };
    }
    this.#reduceOnPlateau(event);
    if (manager.create_early_stopping_callback) {
      const stopping = manager.early_stopping_callback_params;
      const watched = monitored(stopping.monitor, event);
      if (watched !== undefined) {
        this.#progress.patience = patienceAfter(this.#progress.patience, watched, stopping);
        if (this.#progress.patience.waited >= stopping.patience) this.#finishEarly('early-stopped');
      }
    }
    await this.#emit(event);
    this.#speed.restart();
  }

  #reduceOnPlateau(event: EpochEvaluated): void {
    const { optim } = this.#run.job.config.model;
    const { sched } = optim;
    if (sched?.name !== 'ReduceLROnPlateau') return;
    const value = monitored(sched.monitor ?? 'val_loss', event);
    if (value === undefined) return;
    this.#progress.plateau = plateauAfter(this.#progress.plateau, value, {
      mode: sched.mode === 'max' ? 'max' : 'min',
      factor: sched.factor ?? 0.1,
      patience: sched.patience ?? 10,
      threshold: sched.threshold ?? 1e-4,
      relative: sched.threshold_mode !== 'abs',
      cooldown: sched.cooldown ?? 0,
      floor: (sched.min_lr ?? 0) / (optimizerOptions(optim).lr ?? 0),
    });
  }

  #finishEarly(reason: 'early-stopped' | 'stopped'): void {
    this.#progress.stopped = reason;
    this.#dirty = true;
  }

  /** Writes what there is and says so; does nothing when the newest checkpoint holds it already. */
  async #checkpoint(): Promise<string> {
    if (!this.#dirty && this.#checkpointPath !== undefined) return this.#checkpointPath;
    const tensors = [...(await this.#model.weights.readAll()), ...(await this.#model.trainStep.readSlots())];
    // The loss of the last step is that of the weights before it: an update that overflowed shows here first.
    const overflowed = tensors.find(({ data }) => !isAllFinite(data));
    if (overflowed) throw new WeightsNotFinite(overflowed.name, this.#progress.step, this.#checkpointPath);
    const { path, sizeBytes } = await this.#run.folder.save(this.#progress, tensors);
    this.#checkpointPath = path;
    this.#dirty = false;
    await this.#announce({ path, sizeBytes });
    this.#speed.restart();
    return path;
  }

  async #announce(file: { path: string; sizeBytes: number }): Promise<void> {
    const { step, events } = this.#progress;
    await faultPoint(`log step ${step}`);
    await this.#emit({ type: 'checkpoint', step, epoch: this.#lastEpoch, ...file, events });
    this.#progress.events = [];
  }

  async #finish(): Promise<TrainDone> {
    const { folder } = this.#run;
    await this.#checkpoint();
    await folder.saveLast(await this.#model.weights.readAll());
    const { step, stopped, best } = this.#progress;
    const done: TrainDone = {
      type: 'done',
      step,
      epoch: this.#lastEpoch,
      reason: stopped ?? 'completed',
      lastWeights: folder.lastWeights,
      ...(best ? { bestWeights: folder.bestWeights(best.step), best } : {}),
    };
    await this.#emit(done);
    return done;
  }

  /** Epoch of the last step done. */
  get #lastEpoch(): number {
    return Math.floor(Math.max(0, this.#progress.step - 1) / this.#run.length.stepsPerEpoch);
  }
}

const sum = <T>(items: T[], of: (item: T) => number): number => items.reduce((total, item) => total + of(item), 0);

/** NOTE: `every(Number.isFinite)` takes a second for the slots of a large model; this takes a tenth of it. */
function isAllFinite(data: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < data.length; i++) zero += data[i]! * 0; // NaN where it is not finite
  return zero === 0;
}
