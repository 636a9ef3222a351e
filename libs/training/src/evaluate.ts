import type { ClassificationReport } from '@nautil/contracts';
import { Confusion } from '@nautil/metrics';
import type { Forward } from '@nautil/model';
import { OutOfMemory } from '@nautil/tensorflow';
import type { Batch } from '@nautil/tokenization';
import { rowsOf, type BatchSource } from './batches.js';
import { argmax, crossEntropy } from './cross-entropy.js';
import { BatchTooLarge } from './errors.js';

export interface Evaluation {
  /** Unweighted mean of the batches' losses, NeMo's val_loss: it depends on the batch size. */
  loss: number;
  report: ClassificationReport;
}

/**
 * Loss and classification report over one pass of a data set, without dropout.
 *
 * @param o.afterBatch - called after each batch, so that a long pass can report progress or stop by throwing.
 */
export async function evaluate(
  forward: Pick<Forward, 'run'>,
  batches: BatchSource,
  o: {
    numClasses: number;
    labelNames?: string[];
    classWeights?: number[];
    afterBatch?: (done: number) => void | Promise<void>;
  },
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
    await o.afterBatch?.(index + 1);
  }
  return { loss: losses / batches.batchesPerEpoch, report: confusion.report(o.labelNames) };
}

/** The logits of a batch: of its halves, where the whole does not fit into memory. [paddedRows * numClasses] */
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
