import { type Batch, padRows } from '@nautil/tokenization';

/** What a forward pass reads of a batch. */
export type ForwardBatch = Pick<Batch, 'paddedRows' | 'length' | 'ids' | 'mask'>;

export interface RunRowsOptions {
  padId: number;
  batchSize: number;

  /**
   * Pads as NeMo does. A row's result may then depend on the longest row of its batch, so the rows are cut into batches in their
   * own order.
   */
  nemoPadding?: boolean;
}

/** How the batches of a forward pass are padded. */
export interface BatchShapes {
  /** In tokens. */
  maxLength: number;

  /** Lengths are rounded up to a multiple of this. */
  lengthMultiple: number;

  /** The number of rows that a batch of `rows` is padded to. */
  padRowsTo: (rows: number, batchSize: number) => number;
}

/** Rows that are sorted by length together before they are cut into batches. */
const sortedRows = 1024;

/**
 * The result of `run` for each row of token ids, in the order of the rows. Rows of similar length share a batch, except with
 * `nemoPadding`.
 *
 * @param rows - token ids with their special tokens, without padding
 */
export async function runRows(
  run: (batch: ForwardBatch) => Promise<Float32Array>,
  rows: readonly (readonly number[])[],
  { padId, batchSize, nemoPadding = false, ...shapes }: RunRowsOptions & BatchShapes,
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
        {
          padId,
          nemoPadding,
          lengthMultiple: shapes.lengthMultiple,
          maxLength: shapes.maxLength,
          padRowsTo: shapes.padRowsTo(indexes.length, batchSize),
        },
      );
      const values = await run(batch);
      const width = values.length / batch.paddedRows;
      for (const [row, index] of indexes.entries()) results[index] = values.slice(row * width, (row + 1) * width);
    }
  }
  return results;
}
