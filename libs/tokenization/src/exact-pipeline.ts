import { BPE, type Model, WordPiece } from '@huggingface/tokenizers';
import { AddedTokenSplitter } from './added-tokens.js';
import { byteToken } from './byte-token.js';
import { type Normalize, normalizerOf } from './normalizers.js';
import { type PreTokenize, preTokenizerOf } from './pre-tokenizers.js';
import type { AddedToken, TokenizerJson } from './tokenizer-definition.js';
import { Unigram } from './unigram.js';

/**
 * The pipeline of a tokenizer.json, from a text to ids: added tokens are found, the rest is normalized, divided into words, and
 * the model divides the words into tokens. It gives the ids of the Rust library: WordPiece, BPE and the regular expressions are
 * those of `@huggingface/tokenizers`, and the files `normalizers.ts`, `pre-tokenizers.ts`, `added-tokens.ts` and `unigram.ts`
 * replace the parts that differ, and state how.
 */
export class ExactPipeline {
  readonly #idsByToken = new Map<string, number>();
  readonly #tokensById: (string | undefined)[] = [];
  readonly #beforeNormalizing: AddedTokenSplitter;
  readonly #afterNormalizing: AddedTokenSplitter;
  readonly #normalize: Normalize;
  readonly #preTokenize: PreTokenize;
  readonly #wordIds: (word: string) => number[];

  /** @param json - checked by `requireTokenizerJson` */
  constructor({ added_tokens: added, normalizer, pre_tokenizer: preTokenizer, model }: TokenizerJson) {
    const { vocab } = model;
    const base: Iterable<[string, number]> = Array.isArray(vocab)
      ? vocab.map(([token], id) => [token, id])
      : Object.entries(vocab);
    for (const [token, id] of base) this.#add(token, id);
    for (const { content, id } of added) this.#add(content, id);
    this.#normalize = normalizer === null ? (text) => text : normalizerOf(normalizer);
    this.#preTokenize = preTokenizer === null ? (text) => (text === '' ? [] : [text]) : preTokenizerOf(preTokenizer);
    const isNormalized = ({ normalized, special }: AddedToken) => normalized ?? special !== true;
    this.#beforeNormalizing = new AddedTokenSplitter(
      added.filter((token) => !isNormalized(token)).map((token) => [token.content, token]),
    );
    this.#afterNormalizing = new AddedTokenSplitter(
      added.filter(isNormalized).map((token) => [this.#normalize(token.content), token]),
    );
    this.#wordIds = this.#modelOf(model);
  }

  /** The ids of a text without the special tokens around it. */
  idsOf(text: string): number[] {
    const ids: number[] = [];
    this.#beforeNormalizing.split(text).forEach((section, index) => {
      if ('token' in section) ids.push(section.token.id);
      else this.#appendSection(section.text, index === 0, ids);
    });
    return ids;
  }

  #appendSection(text: string, isFirst: boolean, ids: number[]): void {
    this.#afterNormalizing.split(this.#normalize(text)).forEach((section, index) => {
      if ('token' in section) {
        ids.push(section.token.id);
        return;
      }
      for (const word of this.#preTokenize(section.text, isFirst && index === 0)) {
        for (const id of this.#wordIds(word)) ids.push(id);
      }
    });
  }

  /** The ids that the model gives a word, without normalizing it. */
  wordIds(word: string): number[] {
    return this.#wordIds(word);
  }

  idOf(token: string): number | undefined {
    return this.#idsByToken.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokensById[id];
  }

  /** All tokens with their ids, in the order of ids. */
  vocabulary(): Map<string, number> {
    const vocabulary = new Map<string, number>();
    this.#tokensById.forEach((token, id) => {
      if (token !== undefined) vocabulary.set(token, id);
    });
    return vocabulary;
  }

  /** The largest id plus 1. */
  get vocabSize(): number {
    return this.#tokensById.length;
  }

  #add(token: string, id: number): void {
    this.#idsByToken.set(token, id);
    this.#tokensById[id] = token;
  }

  #modelOf({ type, vocab, ...options }: TokenizerJson['model']): (word: string) => number[] {
    if (type === 'Unigram') {
      const model = new Unigram(
        vocab as [string, number][],
        Number(options['unk_id']),
        options['byte_fallback'] === true,
      );
      return (word) => model.idsOf(word);
    }
    const model: Model = type === 'BPE' ? new BPE({ ...options, vocab }) : new WordPiece({ ...options, vocab });
    // One word at a time, so that unknown characters of neighbouring words are not joined to one token.
    if (type !== 'BPE' || typeof options['unk_token'] === 'string')
      return (word) => model([word]).map((token) => this.#idsByToken.get(token) ?? model.unk_token_id ?? 0);
    const known = this.#knownCharacters(options);
    return (word) => model([known(word)]).flatMap((token) => this.#idsByToken.get(token) ?? []);
  }

  /**
   * BPE without an unknown token drops the characters that it has no token for before it merges the others, so that the neighbours of such
   * a character can be merged. `@huggingface/tokenizers` 0.2.0 drops them afterwards, or gives them the id 0.
   */
  #knownCharacters(options: Record<string, unknown>): (word: string) => string {
    const hasSuffix = typeof options['end_of_word_suffix'] === 'string' && options['end_of_word_suffix'] !== '';
    const hasBytes = options['byte_fallback'] === true;
    const isKnown = (character: string): boolean =>
      this.#idsByToken.has(character) ||
      (hasBytes && [...Buffer.from(character)].every((byte) => this.#idsByToken.has(byteToken(byte))));
    return (word) => {
      if (options['ignore_merges'] === true && this.#idsByToken.has(word)) return word;
      const characters = [...word];
      // The last character has the suffix, even if there is no token for both. Then its token is dropped.
      const last = hasSuffix ? characters.length - 1 : -1;
      return characters.filter((character, at) => at === last || isKnown(character)).join('');
    };
  }
}
