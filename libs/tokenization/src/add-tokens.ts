import { largest } from '@nautil/contracts';
import type { AddedToken } from './tokenizer-definition.js';

/** A token to add to a vocabulary. Its id follows from the vocabulary. */
export type NewToken = Omit<AddedToken, 'id'>;

/**
 * Gives added tokens their ids as the Rust library does: that of the vocabulary, or the next one after it. The first of equal
 * tokens counts, and an empty one is ignored.
 *
 * @returns the added tokens by id
 */
export function addTokens(vocabulary: ReadonlyMap<string, number>, tokens: readonly NewToken[]): AddedToken[] {
  const added = new Map<string, AddedToken>();
  let next = largest(vocabulary.values()) + 1;
  for (const token of tokens) {
    const { content } = token;
    if (content === '' || added.has(content)) continue;
    const id = vocabulary.get(content) ?? next++;
    const special = token.special ?? false;
    added.set(content, {
      id,
      content,
      single_word: token.single_word ?? false,
      lstrip: token.lstrip ?? false,
      rstrip: token.rstrip ?? false,
      normalized: token.normalized ?? !special,
      special,
    });
  }
  return [...added.values()].sort((a, b) => a.id - b.id);
}
