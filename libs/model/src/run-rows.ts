import { type Batch, padRows } from '@nautil/tokenization';

/** What a forward pass reads of a batch. */
export type ForwardBatch = Pick<Batch, 'size' | 'length' | 'ids' | 'mask'>;

export interface RunRowsOptions {
  padId: number;
  batchSize: number;

  /**
   * Pads as NeMo does. A row's result may then depend on the longest row of its batch, so the rows are cut into batches in their
   * own order.
   */
  nemoPadding?: boolean;
}

/** Rows that are sorted by length together before they are cut into batches. */
const sortedRows = 1024;

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
  { padId, batchSize, nemoPadding = false, maxLength }: RunRowsOptions & { maxLength: number },
): Promise<Float32Array[]> {
  const results = new Array<Float32Array>(rows.length);
  const sorted = nemoPadding ? rows.length : sortedRows;
  for (let from = 0; from < rows.length; from += sorted) {
    const order = Array.from({ length: Math.min(sorted, rows.length - from) }, (_, i) => from + i);
    if (!nemoPadding) order.sort((a, b) => rows[a]!.length - rows[b]!.length || a - b);
    for (let at = 0; at < order.length; at += batchSize) {
      const indexes = order.slice(at, at + batchSize);
      const batch = padRows(
        indexes.map((index) => rows[index]!),
        { padId, nemoPadding, maxLength },
      );
      const values = await run(batch);
      const width = values.length / batch.size;
      for (const [row, index] of indexes.entries()) results[index] = values.slice(row * width, (row + 1) * width);
    }
  }
  return results;
}
