import { OutOfMemory } from '@nautil/tensorflow';
import { BatchTooLarge } from './errors.js';
import type { MicroBatch } from './train-step.js';

/** TensorFlow ran out of memory in a training step. `retryOutOfMemory` handles it. */
class StepOutOfMemory extends Error {
  readonly rows: number;
  readonly length: number;
  readonly microBatches: number;

  constructor({ batch }: MicroBatch, microBatches: number, cause: OutOfMemory) {
    super(`${batch.size} × ${batch.length} tokens`, { cause });
    this.rows = batch.size;
    this.length = batch.length;
    this.microBatches = microBatches;
  }
}

/**
 * Runs a training step, and reports the size of its largest micro-batch when it runs out of memory.
 *
 * @param perBatch - number of micro-batches that each batch is cut into
 */
export async function reportingOutOfMemory<T>(
  microBatches: readonly MicroBatch[],
  perBatch: number,
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
    throw new StepOutOfMemory(
      microBatches.reduce((a, b) => (b.batch.ids.length > a.batch.ids.length ? b : a)),
      perBatch,
      error,
    );
  }
}

/**
 * Trains, and after a step that ran out of memory resumes from the last checkpoint with twice as many micro-batches. Only
 * the state on disk can be trusted then, because a part of the update may have been applied.
 *
 * @param train - gets the number of micro-batches per batch; undefined: the checkpoint's
 * @param o.isAlone - false: other processes take part in the training, which cannot go back to a checkpoint without them
 * @throws BatchTooLarge when not even one row fits; OutOfMemory unless the process is alone
 */
export async function retryOutOfMemory<T>(
  train: (microBatches: number | undefined) => Promise<T>,
  warn: (message: string) => Promise<void>,
  { isAlone = true } = {},
): Promise<T> {
  let microBatches: number | undefined;
  for (;;) {
    try {
      return await train(microBatches);
    } catch (error) {
      if (!(error instanceof StepOutOfMemory)) throw error;
      if (!isAlone) throw error.cause;
      const { rows, length } = error;
      if (rows <= 1) throw new BatchTooLarge(rows, length, error.cause);
      microBatches = error.microBatches * 2;
      await warn(
        `a batch of ${rows} × ${length} tokens does not fit into memory: training continues with ${microBatches} micro-batches per batch (the same effective batch)`,
      );
    }
  }
}
