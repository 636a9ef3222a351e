import { IdList } from './id-list.js';
import { roomForText } from './room-for-text.js';
import type { Tokenizer } from './tokenizer.js';

/** Several texts, or pairs of them. */
export interface TextChunk {
  texts: readonly string[];

  /** The second text of each pair; absent for single texts. */
  seconds?: readonly string[] | undefined;
}

/** Ids of several texts in typed arrays, which threads transfer without copying. */
export interface TokenizedChunk {
  /** Number of ids of each text. */
  lengths: Uint16Array<ArrayBuffer>;

  /** Concatenated ids of all texts. */
  ids: Uint32Array<ArrayBuffer>;

  /** Number of ids of each pair's first segment; absent for single texts. */
  firstLengths?: Uint16Array<ArrayBuffer>;

  /** Number of texts, or pairs, longer than maxLength. */
  truncated: number;
}

/** The ids of the latest chunk, whose room the next one uses again. */
const ids = new IdList(1 << 14);

/**
 * Tokenises texts, or pairs of texts, to at most `maxLength` ids each.
 *
 * @throws TokenizerError when `maxLength` has no room for the special tokens
 */
export const tokenizeChunk = (
  tokenizer: Tokenizer,
  { texts, seconds }: TextChunk,
  maxLength: number,
): TokenizedChunk =>
  seconds ? tokenizePairs(tokenizer, texts, seconds, maxLength) : tokenizeTexts(tokenizer, texts, maxLength);

function tokenizeTexts(tokenizer: Tokenizer, texts: readonly string[], maxLength: number): TokenizedChunk {
  const { prefixIds, suffixIds } = tokenizer.definition;
  const room = roomForText(tokenizer.definition, maxLength);
  const lengths = new Uint16Array(texts.length);
  ids.truncate(0);
  let truncated = 0;
  texts.forEach((text, row) => {
    const start = ids.length;
    ids.append(prefixIds);
    const bodyStart = ids.length;
    // One id more than fits shows that the text is truncated.
    tokenizer.appendBodyIds(text, room + 1, ids);
    if (ids.length - bodyStart > room) {
      truncated++;
      ids.truncate(bodyStart + room);
    }
    ids.append(suffixIds);
    lengths[row] = ids.length - start;
  });
  return { lengths, ids: ids.toArray(), truncated };
}

function tokenizePairs(
  tokenizer: Tokenizer,
  texts: readonly string[],
  seconds: readonly string[],
  maxLength: number,
): TokenizedChunk {
  const lengths = new Uint16Array(texts.length);
  const firstLengths = new Uint16Array(texts.length);
  ids.truncate(0);
  let truncated = 0;
  texts.forEach((text, row) => {
    const pair = tokenizer.encodePair(text, seconds[row] ?? '', maxLength);
    ids.append(pair.ids);
    lengths[row] = pair.ids.length;
    firstLengths[row] = pair.firstLength;
    if (pair.isTruncated) truncated++;
  });
  return { lengths, ids: ids.toArray(), firstLengths, truncated };
}
