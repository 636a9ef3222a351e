import type { TokenCache } from './token-cache.js';

/** A batch as the model takes it; B is `paddedRows`, T is `length`. */
export interface Batch {
  /** Rows of the cache, without padding rows. */
  rows: Int32Array;

  /** Real rows. */
  size: number;

  paddedRows: number;
  length: number;
  ids: Int32Array; // [B, T]
  mask: Int32Array; // [B, T]

  /** 0 for padding rows: they must not count. */
  labels: Int32Array; // [B]

  /** Tokens that are not padding. */
  tokens: number;
}

export interface AssembleOptions {
  /** T is rounded up to a multiple of this: fewer shapes, fewer graphs. Default 1. */
  lengthMultiple?: number;

  /** T is not rounded beyond this (the encoder's positions). Default the cache's maxLength. */
  maxLength?: number;

  /** As NeMo's collate: the mask is padded with the pad id too, so that RoBERTa (pad id 1) attends to padding. */
  nemoPadding?: boolean;

  /** Adds padding rows up to this many. */
  padRowsTo?: number;
}

/** Puts rows of the cache side by side, padded to the longest. A padding row is all padding, its first token attended, so that no softmax is over nothing. */
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
  rowIds.forEach((values, at) => {
    ids.set(values, at * length);
    mask.fill(1, at * length, at * length + values.length);
    labels[at] = cache.label(rows[at] ?? 0);
    tokens += values.length;
  });
  for (let at = size; at < paddedRows; at++) mask[at * length] = 1;
  return { rows, size, paddedRows, length, ids, mask, labels, tokens };
}
