import { writeFileSync } from 'node:fs';
import { peakMemory, restartPeakMemory } from '@nautil/store/process';
import { OutOfMemory } from '@nautil/tensorflow';
import { type Batch, openTokenCache } from '@nautil/tokenization';
import { batchesOf, type BatchesOptions, type BatchSource, microBatchesOfStep } from './batches.js';
import { computedBatches } from './evaluate.js';
import type { TrainJob } from './job.js';
import { rowsOf } from './rows-of.js';
import { openTrainingRun, type TrainingRun } from './training-run.js';
import { TrainingSession } from './training-session.js';

export interface MeasureTrainingOptions {
  /** The training. Its folder gets a checkpoint, so it must be one that the caller removes. */
  job: TrainJob;

  /** The data of the evaluation after the training; absent: there is none. */
  on?: { cache: string; dataset: BatchesOptions['dataset']; limit: BatchesOptions['limit'] } | undefined;

  /** Bytes of memory that the process may take. No batch is computed that is predicted to take more. */
  availableBytes: number;

  /** Whether a checkpoint is written, to measure its time. */
  writesCheckpoint: boolean;

  /** Seconds for the steps; at least one is taken. */
  budgetSeconds: number;
}

/** What was measured of a training, from real steps on the run's own batches. Times are in seconds. */
export interface TrainingMeasured {
  /** Loading the model, and building its graph. */
  secondsToOpen: number;

  /** Mean of the steps of an epoch; absent if the largest batch does not fit. */
  secondsPerStep?: number;

  /** Number of steps that were timed. */
  timedSteps: number;

  /** One pass over the validation set; absent without one. */
  secondsPerEvaluation?: number;

  /** The evaluation after the training; absent without one. */
  secondsOfFinalEvaluation?: number;

  /** Writing a checkpoint; absent if none was written. */
  secondsPerCheckpoint?: number;

  /**
   * Largest resident size of the process, or its prediction if the largest batch does not fit. Without the snapshot of a checkpoint, which
   * a training holds until it is written.
   */
  peakBytes: number;

  /** The largest batch of a device, in rows and tokens per row. */
  largestBatch: { rows: number; length: number };

  /** Whether the largest batch fits into `availableBytes`. */
  fits: boolean;

  /** Number of pieces that a batch of a device is computed in, because it does not fit into TensorFlow's memory. */
  microBatches: number;

  /** Number of devices of this process. */
  devices: number;

  /** Name of the first device. */
  device: string;

  /** Steps that an earlier run has taken, which this one continues. */
  doneSteps: number;
}

/** Positions of the first batch that is computed: few enough for any machine on which the model itself fits. */
const firstPositions = 512;

/** A batch that is predicted to need so many times the memory is not tried any further: a prediction from small parts may be too high. */
const hopeless = 4;

/** Parts of equal size, ordered by cost, of which one member each is timed. */
const strata = 6;

/**
 * Takes some steps of a training, evaluates some batches, and writes a checkpoint, to predict the time and the memory of the whole.
 *
 * The batches are the run's own. The largest is computed first, in parts of growing size, so that one that does not fit is
 * predicted before it exhausts the memory. Then the batches are ordered by size and cut into parts of equal number, and the middle
 * one of each part is timed. The weights are not changed: the learning rate is 0.
 *
 * @throws what `trainClassifier` throws before its first step
 */
export async function measureTraining(o: MeasureTrainingOptions): Promise<TrainingMeasured> {
  preferForKilling();
  const run = await openTrainingRun(o.job);
  try {
    const opening = stopwatch();
    let device = '';
    const onProgress = (event: { type: string; device?: string }): void => {
      device = event.device ?? device;
    };
    const session = await TrainingSession.open(run, { onProgress }, { isStopped: () => false });
    try {
      const secondsToOpen = opening();
      return { secondsToOpen, device, ...(await measure(run, session, o)) };
    } finally {
      await session.close();
    }
  } finally {
    await run.close();
  }
}

async function measure(
  run: TrainingRun,
  session: TrainingSession,
  o: MeasureTrainingOptions,
): Promise<Omit<TrainingMeasured, 'secondsToOpen' | 'device'>> {
  const { job } = run;
  const { model, state, plan } = session;
  const { accumulate_grad_batches: accumulate } = job.config.trainer;
  const doneSteps = state.step;
  const budget = stopwatch();
  const hasTime = (): boolean => budget() < o.budgetSeconds;
  const memory = new MemoryGrowth(o.availableBytes, hasTime);

  const step = async (batches: readonly Batch[]): Promise<void> => {
    for (;;) {
      const microBatches = microBatchesOfStep(batches, {
        count: state.microBatches * session.devices,
        share: 1 / accumulate,
        classWeights: job.classWeights,
        compiledSize: plan.compiledLengths.length === 0 ? undefined : plan.train.batchSize,
      });
      try {
        await model.trainStep.run(microBatches, { lr: 0, step: state.step, lossScale: state.lossScale?.scale });
        return;
      } catch (error) {
        if (!(error instanceof OutOfMemory) || microBatches.every(({ batch }) => batch.size <= 1)) throw error;
        state.microBatches *= 2; // as training does
      }
    }
  };

  // 1) the memory of the largest batch
  const largest = largestOf(plan.train);
  const part = (rows: number) => step([rowsOf(largest, 0, rows)]);
  const perDevice = { rows: Math.ceil(largest.size / session.devices), length: largest.length };
  const fits = await memory.grow(largest, part);
  const found = { largestBatch: perDevice, devices: session.devices, doneSteps };
  const result = () => ({ ...found, peakBytes: memory.peakBytes, microBatches: state.microBatches });
  if (!fits) return { ...result(), fits, timedSteps: 0 };

  // 2) the time of the steps
  const steps = stepsOfEpoch(plan.train, accumulate);
  const timed = await timeStrata(steps, hasTime, (batches) => step(batches.map((index) => plan.train.at(0, index))));

  // 3) a checkpoint
  const writing = stopwatch();
  let secondsPerCheckpoint: number | undefined;
  if (o.writesCheckpoint) {
    session.markChanged();
    await session.checkpoint();
    await session.committedCheckpoint();
    secondsPerCheckpoint = writing();
  }

  // 4) the evaluations
  const evaluated = async (source: BatchSource): Promise<number | undefined> => {
    const batches = computedBatches(source).sort((a, b) => positionsOf(source, a) - positionsOf(source, b));
    const evaluate = (batch: Batch) => model.forward.run(batch).then(() => undefined);
    const longest = batches.at(-1);
    if (longest === undefined) return 0;
    const batch = source.batchOf(longest);
    if (!(await memory.grow(batch, (rows) => evaluate(rowsOf(batch, 0, rows))))) return undefined;
    const { seconds } = await timeStrata(batches, hasTime, (rows) => evaluate(source.batchOf(rows)));
    return seconds * batches.length;
  };
  const secondsPerEvaluation = run.validation && (await evaluated(run.validation));
  const secondsOfFinalEvaluation = o.on && (await withCache(run, o.on, evaluated));
  memory.note();
  return {
    ...result(),
    fits: memory.fits,
    secondsPerStep: timed.seconds,
    timedSteps: timed.count,
    ...(secondsPerCheckpoint === undefined ? {} : { secondsPerCheckpoint }),
    ...(secondsPerEvaluation === undefined ? {} : { secondsPerEvaluation }),
    ...(secondsOfFinalEvaluation === undefined ? {} : { secondsOfFinalEvaluation }),
  };
}

/** Calls `work` with the batches of the evaluation after the training. */
async function withCache<T>(
  { job, initial }: TrainingRun,
  { cache: path, ...o }: NonNullable<MeasureTrainingOptions['on']>,
  work: (source: BatchSource) => Promise<T>,
): Promise<T> {
  const cache = openTokenCache(path);
  try {
    return await work(batchesOf(cache, { ...o, nautil: job.config.nautil, maxPositions: initial.encoder.maxLength }));
  } finally {
    cache.close();
  }
}

/** Follows the memory of this process while batches grow, and stops before one that is predicted not to fit. */
class MemoryGrowth {
  readonly #availableBytes: number;
  readonly #hasTime: () => boolean;
  #peakBytes = peakMemory();
  fits = true;

  constructor(availableBytes: number, hasTime: () => boolean) {
    this.#availableBytes = availableBytes;
    this.#hasTime = hasTime;
  }

  /** Largest resident size so far, or its prediction. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Records the size that the process has had. */
  note(bytes = peakMemory()): void {
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (this.#peakBytes > this.#availableBytes) this.fits = false;
  }

  /**
   * Computes parts of a batch with twice as many rows each time, until the whole. Beyond the first parts, memory grows with the
   * number of rows, which predicts that of the next part. Without time for the next part, it predicts that of the whole.
   *
   * @returns false if the whole does not fit
   */
  async grow({ size, length }: Batch, compute: (rows: number) => Promise<void>): Promise<boolean> {
    let before: { rows: number; bytes: number } | undefined;
    let rows = Math.min(size, Math.max(1, Math.floor(firstPositions / length)));
    for (;;) {
      restartPeakMemory();
      await compute(rows);
      const now = { rows, bytes: peakMemory() };
      this.note(now.bytes);
      if (rows === size || !this.fits) break;
      const next = Math.min(size, rows * 2);
      if (before) {
        const perRow = Math.max(0, now.bytes - before.bytes) / (now.rows - before.rows);
        const predicted = (at: number): number => now.bytes + perRow * (at - now.rows);
        const isHopeless = predicted(size) > hopeless * this.#availableBytes;
        if (isHopeless || predicted(next) > this.#availableBytes || !this.#hasTime()) {
          this.note(predicted(size));
          break;
        }
      }
      before = now;
      rows = next;
    }
    return this.fits;
  }
}

/** The batch of the first epoch with the most positions. */
function largestOf(train: BatchSource): Batch {
  let [at, most] = [0, 0];
  for (let index = 0; index < train.batchesPerEpoch; index++) {
    const positions = positionsOf(train, train.rowsAt(0, index));
    if (positions > most) [at, most] = [index, positions];
  }
  return train.at(0, at);
}

/** The batches of each step of the first epoch, those of the smallest step first. */
function stepsOfEpoch(train: BatchSource, accumulate: number): number[][] {
  const steps: { batches: number[]; positions: number }[] = [];
  for (let first = 0; first < train.batchesPerEpoch; first += accumulate) {
    const count = Math.min(accumulate, train.batchesPerEpoch - first);
    const batches = Array.from({ length: count }, (_, i) => first + i);
    const positions = batches.reduce((sum, index) => sum + positionsOf(train, train.rowsAt(0, index)), 0);
    steps.push({ batches, positions });
  }
  return steps.sort((a, b) => a.positions - b.positions).map(({ batches }) => batches);
}

/** Number of positions of a batch of these rows, which are padded to the longest. */
function positionsOf({ lengths }: BatchSource, rows: Int32Array): number {
  let longest = 0;
  for (const row of rows) longest = Math.max(longest, lengths[row]!);
  return rows.length * longest;
}

/**
 * The mean time of items that are ordered by their cost. The middle item of each of several parts of equal number is timed, the middle part
 * first, repeatedly while there is time.
 */
async function timeStrata<T>(
  items: readonly T[],
  hasTime: () => boolean,
  work: (item: T) => Promise<void>,
): Promise<{ seconds: number; count: number }> {
  const parts = Math.min(strata, items.length);
  const middles = Array.from({ length: parts }, (_, part) => Math.floor(((part + 0.5) * items.length) / parts));
  middles.sort((a, b) => Math.abs(a - items.length / 2) - Math.abs(b - items.length / 2));
  const times = middles.map(() => [] as number[]);
  let count = 0;
  for (let round = 0; round < 2; round++) {
    for (const [part, index] of middles.entries()) {
      if (count > 0 && !hasTime()) break;
      const timer = stopwatch();
      await work(items[index]!);
      times[part]!.push(timer());
      count += 1;
    }
  }
  const means = times.filter(({ length }) => length > 0).map(mean);
  return { seconds: mean(means), count };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Starts to measure. The result returns the seconds since then. */
function stopwatch(): () => number {
  const started = performance.now();
  return () => (performance.now() - started) / 1000;
}

/** If the memory is exhausted in spite of the prediction, the kernel kills this process first. */
function preferForKilling(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // not Linux
  }
}
