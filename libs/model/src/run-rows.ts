import { type Batch, padRows } from '@nautil/tokenization';
import { batchSizes } from './batch-sizes.js';

/** What a forward pass reads of a batch. */
export type ForwardBatch = Pick<Batch, 'size' | 'length' | 'ids' | 'mask' | 'types'>;

export interface RunRowsOptions {
  padId: number;

  /** Rows per batch, at most. With `nemoPadding`, every batch except the last has this size. */
  batchSize: number;

  /**
   * Pads as NeMo does. A row's result may then depend on the longest row of its batch, so the rows are cut into batches in their
   * own order.
   */
  nemoPadding?: boolean;

  /** Number of tokens of each row's first segment, of a model of pairs; absent: the rows are single texts. */
  firstLengths?: readonly number[] | undefined;
}

/** Rows that are sorted by length together before they are cut into batches. */
const sortedRows = 8192;

/**
 * The result of `run` for each row of token ids, in the order of the rows. Rows of similar length share a batch, except with
 * `nemoPadding`.
 *
 * @param rows - token ids with their special tokens, without padding
 * @param o.maxLength - of the model, in tokens
 */
export async function runRows(
  run: (batch: ForwardBatch) => Promise<Float32Array>,
  rows: readonly (readonly number[])[],
  { padId, batchSize, nemoPadding = false, firstLengths, maxLength }: RunRowsOptions & { maxLength: number },
): Promise<Float32Array[]> {
  const results = new Array<Float32Array>(rows.length);
  for (const indexes of nemoPadding ? chunksInOrder(rows.length, batchSize) : batchesByLength(rows, batchSize)) {
    const batch = padRows(
      indexes.map((index) => rows[index]!),
      { padId, nemoPadding, maxLength, firstLengths: firstLengths && indexes.map((index) => firstLengths[index]!) },
    );
    const values = await run(batch);
    const width = values.length / batch.size;
    for (const [row, index] of indexes.entries()) results[index] = values.slice(row * width, (row + 1) * width);
  }
  return results;
}

/** The numbers from 0 to `count`, in chunks. */
function* chunksInOrder(count: number, size: number): Generator<number[]> {
  for (let from = 0; from < count; from += size) {
    yield Array.from({ length: Math.min(size, count - from) }, (_, i) => from + i);
  }
}

/** The indexes of the rows of each batch: rows of similar length. */
function* batchesByLength(rows: readonly (readonly number[])[], batchSize: number): Generator<number[]> {
  for (const window of chunksInOrder(rows.length, sortedRows)) {
    window.sort((a, b) => rows[a]!.length - rows[b]!.length || a - b);
    let at = 0;
    for (const size of batchSizes(
      window.map((index) => rows[index]!.length),
      batchSize,
    )) {
      yield window.slice(at, (at += size));
    }
  }
}
