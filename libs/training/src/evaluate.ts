import type { ClassificationReport } from '@nautil/contracts';
import { Confusion } from '@nautil/metrics';
import type { BatchSource } from './batches.js';
import type { ClassifierGraph } from './classifier-graph.js';
import { argmax, crossEntropy } from './cross-entropy.js';

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
  graph: Pick<ClassifierGraph, 'logits'>,
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
    const logits = await graph.logits(batch);
    losses += crossEntropy(logits, batch.labels, batch.size, o.classWeights);
    for (let row = 0; row < batch.size; row++) {
      const scores = logits.subarray(row * o.numClasses, (row + 1) * o.numClasses);
      confusion.add(batch.labels[row]!, argmax(scores));
    }
    await o.afterBatch?.(index + 1);
  }
  return { loss: losses / batches.batchesPerEpoch, report: confusion.report(o.labelNames) };
}
