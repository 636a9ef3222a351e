import type { ClassificationReport } from '@nautil/contracts';
import { Confusion } from '@nautil/metrics';
import type { Forward } from '@nautil/model';
import { OutOfMemory } from '@nautil/tensorflow';
import { type Batch, openTokenCache } from '@nautil/tokenization';
import { batchesOf, type BatchesOptions, type BatchSource } from './batches.js';
import { argmax, crossEntropy } from './cross-entropy.js';
import { BatchTooLarge, OutputNotFinite } from './errors.js';
import { rowsOf } from './rows-of.js';

/** Computes the logits of a batch. */
export interface BatchForward {
  run: Forward['run'];

  /** Number of batches that may be computed at a time. Default 1. */
  parallelism?: number;
}

export interface Evaluation {
  /** The unweighted mean of the batches' losses, NeMo's val_loss. It depends on the batch size. */
  loss: number;
  report: ClassificationReport;
}

/** What an evaluation needs besides the model and the batches. */
export interface EvaluateOptions {
  numClasses: number;
  labelNames?: string[] | undefined;

  /** Loss weight by label id; absent: all 1. [numClasses] */
  classWeights?: number[] | undefined;

  /** Receives each evaluated row of the data set with its label and its logits, [numClasses], in the order of the batches. */
  onRow?: ((row: number, label: number, logits: Float32Array) => void) | undefined;
}

/** Rows that are sorted by length together: a bound on memory, and on the part of a token cache that is read at a time. */
const sortedRows = 8192;

/**
 * Loss and classification report of one pass over a data set, without dropout. Rows of similar length are computed together,
 * which saves padding. The loss is that of the data set's own batches: each is the mean over its rows, wherever they were
 * computed.
 */
export async function evaluate(forward: BatchForward, batches: BatchSource, o: EvaluateOptions): Promise<Evaluation> {
  const confusion = new Confusion(o.numClasses);
  const atOnce = Math.max(1, Math.floor(sortedRows / batches.batchSize));
  let losses = 0;
  for (let first = 0; first < batches.batchesPerEpoch; first += atOnce) {
    const last = Math.min(first + atOnce, batches.batchesPerEpoch);
    const cuts = Array.from({ length: last - first }, (_, i) => batches.rowsAt(0, first + i));
    const { logits, labels } = await resultsOf(forward, batches, cuts, o.numClasses);
    let from = 0;
    for (const rows of cuts) {
      const { length } = rows;
      const to = from + length;
      const scores = logits.subarray(from * o.numClasses, to * o.numClasses);
      losses += crossEntropy(scores, labels.subarray(from, to), o.classWeights);
      for (let row = 0; row < length; row++) {
        const label = labels[from + row]!;
        const rowScores = scores.subarray(row * o.numClasses, (row + 1) * o.numClasses);
        confusion.add(label, argmax(rowScores));
        o.onRow?.(rows[row]!, label, rowScores);
      }
      from = to;
    }
  }
  return { loss: losses / batches.batchesPerEpoch, report: confusion.report(o.labelNames) };
}

/** The rows of the batches that `evaluate` computes. */
export function computedBatches(batches: BatchSource): Int32Array[] {
  const atOnce = Math.max(1, Math.floor(sortedRows / batches.batchSize));
  const computed: Int32Array[] = [];
  for (let first = 0; first < batches.batchesPerEpoch; first += atOnce) {
    const last = Math.min(first + atOnce, batches.batchesPerEpoch);
    const cuts = Array.from({ length: last - first }, (_, i) => batches.rowsAt(0, first + i));
    const rows = cuts.flatMap((cut) => [...cut]);
    for (const positions of computedTogether(batches, cuts, rows))
      computed.push(Int32Array.from(positions, (position) => rows[position]!));
  }
  return computed;
}

/** The logits and labels of the rows of some batches, in their order. */
async function resultsOf(
  forward: BatchForward,
  batches: BatchSource,
  cuts: readonly Int32Array[],
  numClasses: number,
): Promise<{ logits: Float32Array; labels: Int32Array }> {
  const rows = cuts.flatMap((cut) => [...cut]);
  const logits = new Float32Array(rows.length * numClasses);
  const labels = new Int32Array(rows.length);
  const waiting = computedTogether(batches, cuts, rows);
  const compute = async (): Promise<void> => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
      const positions = next.value;
      const batch = batches.batchOf(Int32Array.from(positions, (position) => rows[position]!));
      const values = await logitsOf(forward, batch);
      for (const [row, position] of positions.entries()) {
        logits.set(values.subarray(row * numClasses, (row + 1) * numClasses), position * numClasses);
        labels[position] = batch.labels[row]!;
      }
    }
  };
  // All have ended before an error is thrown: the caller then closes what they read.
  const ended = await Promise.allSettled(Array.from({ length: forward.parallelism ?? 1 }, compute));
  for (const device of ended) if (device.status === 'rejected') throw device.reason;
  return { logits, labels };
}

/**
 * Cuts positions in `rows` into the batches to compute: the longest rows first, so that a batch
 * that does not fit into memory is found early. Rows that depend on their batch stay in it.
 */
function* computedTogether(
  { lengths, batchSize, rowsDependOnBatch }: BatchSource,
  cuts: readonly Int32Array[],
  rows: readonly number[],
): Generator<number[]> {
  const order = [...rows.keys()];
  if (!rowsDependOnBatch) order.sort((a, b) => lengths[rows[b]!]! - lengths[rows[a]!]! || a - b);
  const sizes = rowsDependOnBatch
    ? cuts.map(({ length }) => length)
    : Array.from({ length: Math.ceil(rows.length / batchSize) }, () => batchSize);
  let from = 0;
  for (const size of sizes) yield order.slice(from, (from += size));
}

/**
 * Evaluates the final weights of a run, or an archive, on a token cache. During training, a loss that is not finite is a
 * result like any other; here, the scores beside it would count every example as one of class 0.
 *
 * @throws OutputNotFinite
 */
export async function evaluateCache(
  forward: BatchForward,
  o: EvaluateOptions & BatchesOptions & { cache: string },
): Promise<Evaluation> {
  const cache = openTokenCache(o.cache);
  try {
    const evaluation = await evaluate(forward, batchesOf(cache, o), o);
    if (!Number.isFinite(evaluation.loss)) throw new OutputNotFinite('the loss of the evaluation', evaluation.loss);
    return evaluation;
  } finally {
    cache.close();
  }
}

/** The logits of a batch, [size * numClasses]. A batch that does not fit into memory is computed in halves. */
async function logitsOf(forward: BatchForward, batch: Batch): Promise<Float32Array> {
  try {
    return await forward.run(batch);
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
    const { size, length } = batch;
    if (size <= 1) throw new BatchTooLarge(size, length, error);
    const half = Math.ceil(size / 2);
    const first = await logitsOf(forward, rowsOf(batch, 0, half));
    const second = await logitsOf(forward, rowsOf(batch, half, size));
    const joined = new Float32Array(first.length + second.length);
    joined.set(first);
    joined.set(second, first.length);
    return joined;
  }
}
