import { TokenizerError } from './errors.js';
import type { TokenizerDefinition } from './tokenizer-definition.js';

/**
 * The number of ids that a text may have beside the special tokens, if it has at most `maxLength` with them.
 *
 * @throws TokenizerError when not even the special tokens fit
 */
export function roomForText({ prefixIds, suffixIds }: TokenizerDefinition, maxLength: number): number {
  return requireRoom(prefixIds.length + suffixIds.length, maxLength);
}

/** What `maxLength` leaves beside special tokens. @throws TokenizerError when they do not fit */
export function requireRoom(specialTokens: number, maxLength: number): number {
  if (maxLength >= specialTokens) return maxLength - specialTokens;
  throw new TokenizerError(
    `the tokenizer adds ${specialTokens} special tokens to each text, and a text may have ${maxLength}`,
    { hint: 'raise the maximum length, or use another tokenizer' },
  );
}
