import type { TokenCache } from './token-cache.js';

/** A batch as the model reads it; B is `size`, T is `length`. */
export interface Batch {
  /** Row numbers in the cache. */
  rows: Int32Array;

  /** Number of rows. */
  size: number;
  length: number;
  ids: Int32Array; // [B, T]
  mask: Int32Array; // [B, T]

  /** The segment of each token, 0 or 1, for a model of pairs; absent for single texts. */
  types?: Int32Array | undefined; // [B, T]
  labels: Int32Array; // [B]

  /** Number of tokens without padding. */
  tokens: number;
}

export interface PaddingOptions {
  padId: number;

  /** T is rounded up to a multiple of this. Default 1. */
  lengthMultiple?: number | undefined;

  /** T is not rounded up beyond this, usually the number of the encoder's positions. */
  maxLength: number;

  /**
   * As NeMo's collate: up to the longest row, the mask is padded with the pad id too, so that RoBERTa (pad id 1) attends to
   * padding. The positions that `lengthMultiple` adds do not exist in NeMo, so they are masked.
   */
  nemoPadding?: boolean | undefined;
}

/**
 * Rows of token ids as one batch with labels 0, padded to the longest row.
 *
 * @param options.firstLengths - number of tokens of each row's first segment; absent: the rows are single texts
 */
export function padRows(
  rows: readonly ArrayLike<number>[],
  options: PaddingOptions & { firstLengths?: ArrayLike<number> | undefined },
): Batch {
  const { padId, lengthMultiple = 1, maxLength, nemoPadding = false, firstLengths } = options;
  const size = rows.length;
  const longest = rows.reduce((most, ids) => Math.max(most, ids.length), 1);
  const length = Math.max(longest, Math.min(Math.ceil(longest / lengthMultiple) * lengthMultiple, maxLength));
  const ids = new Int32Array(size * length).fill(padId);
  const mask = new Int32Array(size * length);
  const types = firstLengths && new Int32Array(size * length);
  let tokens = 0;
  for (const [at, values] of rows.entries()) {
    ids.set(values, at * length);
    if (nemoPadding) mask.fill(padId, at * length, at * length + longest);
    mask.fill(1, at * length, at * length + values.length);
    types?.fill(1, at * length + (firstLengths?.[at] ?? 0), at * length + values.length);
    tokens += values.length;
  }
  const labels = new Int32Array(size);
  return { rows: Int32Array.from(rows.keys()), size, length, ids, mask, ...(types ? { types } : {}), labels, tokens };
}

/** The padded batch of some rows of the cache, with their labels. `maxLength` defaults to the cache's. */
export function assembleBatch(
  cache: TokenCache,
  rows: Int32Array,
  options: Partial<Omit<PaddingOptions, 'padId'>> = {},
): Batch {
  const { padId, maxLength } = cache;
  const batch = padRows(
    Array.from(rows, (row) => cache.ids(row)),
    {
      padId,
      ...options,
      maxLength: options.maxLength ?? maxLength,
      firstLengths: cache.pairs ? Array.from(rows, (row) => cache.firstLength(row)) : undefined,
    },
  );
  for (const [at, row] of rows.entries()) batch.labels[at] = cache.label(row);
  return { ...batch, rows };
}
