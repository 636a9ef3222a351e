import type { ClassificationReport } from '@nautil/contracts';
import { Confusion } from '@nautil/metrics';
import type { Forward } from '@nautil/model';
import { OutOfMemory } from '@nautil/tensorflow';
import { type Batch, openTokenCache } from '@nautil/tokenization';
import { batchesOf, type BatchesOptions, type BatchSource, rowsOf } from './batches.js';
import { argmax, crossEntropy } from './cross-entropy.js';
import { BatchTooLarge, OutputNotFinite } from './errors.js';

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
}

/** Loss and classification report of one pass over a data set, without dropout. */
export async function evaluate(
  forward: Pick<Forward, 'run'>,
  batches: BatchSource,
  o: EvaluateOptions,
): Promise<Evaluation> {
  const confusion = new Confusion(o.numClasses);
  let losses = 0;
  for (let index = 0; index < batches.batchesPerEpoch; index++) {
    const batch = batches.at(0, index);
    const logits = await logitsOf(forward, batch);
    losses += crossEntropy(logits, batch.labels, batch.size, o.classWeights);
    for (let row = 0; row < batch.size; row++) {
      const scores = logits.subarray(row * o.numClasses, (row + 1) * o.numClasses);
      confusion.add(batch.labels[row]!, argmax(scores));
    }
  }
  return { loss: losses / batches.batchesPerEpoch, report: confusion.report(o.labelNames) };
}

/**
 * Evaluates the final weights of a run, or an archive, on a token cache. During training, a loss that is not finite is a
 * result like any other; here, the scores beside it would count every example as one of class 0.
 *
 * @throws OutputNotFinite
 */
export async function evaluateCache(
  forward: Pick<Forward, 'run'>,
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

/** The logits of a batch, [paddedRows * numClasses]. A batch that does not fit into memory is computed in halves. */
async function logitsOf(forward: Pick<Forward, 'run'>, batch: Batch): Promise<Float32Array> {
  try {
    return await forward.run(batch);
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
    const { paddedRows, length } = batch;
    if (paddedRows <= 1) throw new BatchTooLarge(paddedRows, length, error);
    const half = Math.ceil(paddedRows / 2);
    const first = await logitsOf(forward, rowsOf(batch, 0, half));
    const second = await logitsOf(forward, rowsOf(batch, half, paddedRows));
    const joined = new Float32Array(first.length + second.length);
    joined.set(first);
    joined.set(second, first.length);
    return joined;
  }
}
