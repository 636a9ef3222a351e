import { mostUnknown } from '@nautil/metrics';
import type { Tokenizer } from '@nautil/tokenization';
import type { Script } from './encoders.js';

/** English has 0.25 tokens for a letter with an English vocabulary, and Russian with it about 0.9: nearly every letter is a token. */
const mostTokensPerLetter = 0.6;

/** Enough to know the writing system. */
const sampledTexts = 2000;

/** Counts the tokens of texts, and whether a vocabulary suits them. Without a tokenizer, lengths are estimated. */
export class TextCounter {
  readonly #tokenizer: Tokenizer | undefined;
  #texts = 0;
  #tokens = 0;
  #unknown = 0;
  #letters = 0;
  #latin = 0;
  #han = 0;

  constructor(tokenizer: Tokenizer | undefined) {
    this.#tokenizer = tokenizer;
  }

  /** The number of tokens of a text or a pair, with [CLS] and [SEP]. */
  readonly count = (text: string, textPair?: string): number => {
    this.#sample(textPair === undefined ? text : `${text} ${textPair}`);
    if (this.#tokenizer === undefined)
      return estimatedTokens(text) + 2 + (textPair === undefined ? 0 : estimatedTokens(textPair) + 1);
    if (textPair !== undefined) return this.#tokenizer.encodePair(text, textPair).ids.length;
    return this.#tokenizer.encode(text).length;
  };

  /** The writing system of most letters of the first texts. */
  get script(): Script {
    if (this.#han > this.#letters / 2) return 'Chinese';
    return this.#latin >= this.#letters / 2 ? 'Latin' : 'other';
  }

  /** Why the vocabulary does not suit the texts, in words; undefined if it does, or if it is not known. */
  get misfit(): string | undefined {
    if (this.#tokenizer === undefined) return undefined;
    const percent = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`;
    if (this.#unknown > this.#tokens * mostUnknown)
      return `its vocabulary lacks the characters of ${percent(this.#unknown, this.#tokens)} of the tokens`;
    const spelled = this.#tokens / Math.max(1, this.#letters);
    if (this.script !== 'other' || spelled <= mostTokensPerLetter) return undefined;
    return `its vocabulary has few words of this language: a token stands for ${(1 / spelled).toFixed(1)} letters`;
  }

  #sample(text: string): void {
    if (++this.#texts > sampledTexts) return;
    this.#letters += text.match(/\p{L}/gu)?.length ?? 0;
    this.#latin += text.match(/\p{Script=Latin}/gu)?.length ?? 0;
    this.#han += text.match(/\p{Script=Han}/gu)?.length ?? 0;
    const { prefixIds, suffixIds, unknownId } = this.#tokenizer?.definition ?? {
      prefixIds: [],
      suffixIds: [],
      unknownId: -1,
    };
    const added = prefixIds.length + suffixIds.length;
    const ids = this.#tokenizer?.encode(text) ?? [];
    this.#tokens += Math.max(0, ids.length - added);
    this.#unknown += ids.filter((id) => id === unknownId).length;
  }
}

/** A word of an alphabet has a token for five letters or fewer; a letter of other scripts is a token. */
function estimatedTokens(text: string): number {
  const words = text.match(/\p{Script=Han}|[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu) ?? [];
  return words.reduce((sum, word) => sum + Math.ceil(word.length / 5), 0);
}
