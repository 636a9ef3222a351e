import type { Tokenizer } from './tokenizer.js';

/** Ids of several texts in typed arrays, which threads transfer without copying. */
export interface TokenizedChunk {
  /** Number of ids of each text. */
  lengths: Uint16Array<ArrayBuffer>;

  /** Concatenated ids of all texts. */
  ids: Uint32Array<ArrayBuffer>;

  /** Number of texts longer than maxLength. */
  truncated: number;
}

/** Tokenises texts to at most `maxLength` ids each. */
export function tokenizeChunk(tokenizer: Tokenizer, texts: string[], maxLength: number): TokenizedChunk {
  const { prefixIds, suffixIds } = tokenizer.definition;
  const room = maxLength - prefixIds.length - suffixIds.length;
  const lengths = new Uint16Array(texts.length);
  let ids = new Uint32Array(texts.length * 32);
  let used = 0;
  let truncated = 0;
  texts.forEach((text, row) => {
    // One id more than fits shows that the text is truncated.
    const body = tokenizer.bodyIds(text, room + 1);
    if (body.length > room) {
      truncated++;
      body.length = room;
    }
    const length = prefixIds.length + body.length + suffixIds.length;
    if (used + length > ids.length) {
      const larger = new Uint32Array(Math.max(ids.length * 2, used + length));
      larger.set(ids.subarray(0, used));
      ids = larger;
    }
    ids.set(prefixIds, used);
    ids.set(body, used + prefixIds.length);
    ids.set(suffixIds, used + prefixIds.length + body.length);
    used += length;
    lengths[row] = length;
  });
  return { lengths, ids: ids.slice(0, used), truncated };
}
