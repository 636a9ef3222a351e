import type { TokenCache } from './token-cache.js';

/** A batch as the model reads it; B is `paddedRows`, T is `length`. */
export interface Batch {
  /** Row numbers in the cache, without padding rows. */
  rows: Int32Array;

  /** Number of rows without padding rows. */
  size: number;

  paddedRows: number;
  length: number;
  ids: Int32Array; // [B, T]
  mask: Int32Array; // [B, T]

  /** 0 for padding rows, whose loss has weight 0. */
  labels: Int32Array; // [B]

  /** Number of tokens without padding. */
  tokens: number;
}

export interface AssembleOptions {
  /** T is rounded up to a multiple of this, which reduces the number of compiled shapes. Default 1. */
  lengthMultiple?: number;

  /** Upper bound for rounding T, the encoder's maximum length. Default: the cache's maxLength. */
  maxLength?: number;

  /** Pads the mask with the pad id, as NeMo's collate function does: RoBERTa (pad id 1) then attends to padding. */
  nemoPadding?: boolean;

  /** Adds padding rows up to this number of rows. */
  padRowsTo?: number;
}

/**
 * Assembles rows of the cache into a batch, padded to the longest row. The mask of a padding row keeps its first token, because
 * a softmax over no token would be NaN.
 */
export function assembleBatch(cache: TokenCache, rows: Int32Array, options: AssembleOptions = {}): Batch {
  const { lengthMultiple = 1, maxLength = cache.maxLength, nemoPadding = false } = options;
  const size = rows.length;
  const paddedRows = Math.max(size, options.padRowsTo ?? 0);
  const rowIds = Array.from(rows, (row) => cache.ids(row));
  const longest = rowIds.reduce((most, ids) => Math.max(most, ids.length), 1);
  const length = Math.max(longest, Math.min(Math.ceil(longest / lengthMultiple) * lengthMultiple, maxLength));
  const ids = new Int32Array(paddedRows * length).fill(cache.padId);
  const mask = new Int32Array(paddedRows * length).fill(nemoPadding ? cache.padId : 0);
  const labels = new Int32Array(paddedRows);
  let tokens = 0;
  rowIds.forEach((values, row) => {
    ids.set(values, row * length);
    mask.fill(1, row * length, row * length + values.length);
    labels[row] = cache.label(rows[row] ?? 0);
    tokens += values.length;
  });
  for (let row = size; row < paddedRows; row++) mask[row * length] = 1;
  return { rows, size, paddedRows, length, ids, mask, labels, tokens };
}
