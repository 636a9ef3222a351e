import { splitWords } from '@nautil/python-format';
import { canonicalJson, sha256Of } from '@nautil/store';
import { type BertNormalizerOptions, bertNormalizerOptions } from './bert-normalizer.js';
import { type Chunking, chunkingOf, crossingTokens } from './chunking.js';
import { CodeUnits } from './code-units.js';
import { TextRefused, TokenizerError } from './errors.js';
import { ExactPipeline } from './exact-pipeline.js';
import { hasForeignPattern, withTimeLimit } from './foreign-pattern.js';
import { IdList } from './id-list.js';
import { type EncodedPair, pairLengths, type PairPart, pairTemplateOf } from './pair-template.js';
import { longestPlainWord, nextHash, PlainWords } from './plain-words.js';
import { requireRoom, roomForText } from './room-for-text.js';
import { slowBertWords } from './slow-bert-words.js';
import { SpecialTokens } from './special-tokens.js';
import { supported } from './supported.js';
import type { TokenizerDefinition, TokenizerMode } from './tokenizer-definition.js';
import { WordMemo } from './word-memo.js';

/** Converts texts to token ids. Safe to share: its only state is a bounded cache of words. */
export interface Tokenizer {
  /** Hugging Face's class name without `Fast`. */
  readonly name: string;

  readonly mode: TokenizerMode;

  /** The largest id plus 1. */
  readonly vocabSize: number;

  readonly padId: number;

  /** SHA-256 of everything that determines ids: equal digests imply equal ids. */
  readonly digest: string;

  readonly definition: TokenizerDefinition;

  /**
   * The ids of `[CLS] … [SEP]`; a truncated text has exactly `maxLength` ids. Undefined or a value below 1 means no limit.
   *
   * @throws TokenizerError when maxLength has no room for the special tokens; TextRefused as `bodyIds`
   */
  encode(text: string, maxLength?: number): number[];

  /**
   * The ids of two texts in the family's own template, such as `[CLS] A [SEP] B [SEP]`, with the type of each. If they have more
   * than `maxLength` ids, the longer text is shortened first; special tokens are kept. Undefined or a value below 1 means no limit.
   *
   * @throws TokenizerError when maxLength has no room for the special tokens, or the tokenizer's template has other types than 0 and
   * then 1; TextRefused as `bodyIds`
   */
  encodePair(first: string, second: string, maxLength?: number): EncodedPair;

  /**
   * The ids between [CLS] and [SEP], at most `limit` of them.
   *
   * @throws TextRefused for a text that takes too long or too much memory, such as a million characters without a space
   */
  bodyIds(text: string, limit: number): number[];

  /** Appends what `bodyIds` returns to a list. */
  appendBodyIds(text: string, limit: number, ids: IdList): void;

  /** The tokens of the ids that `encode` returns. */
  tokens(text: string, maxLength?: number): string[];

  /** The token of an id; an empty string for an unknown id. */
  tokenOf(id: number): string;

  /** All tokens with their ids, in the order of ids. */
  vocabulary(): Map<string, number>;
}

/** Part of every digest. Increment it when a change in this library changes ids. */
const revision = 4;

/** Creates the tokenizer of a definition. */
export function createTokenizer(definition: TokenizerDefinition): Tokenizer {
  return new PipelineTokenizer(definition);
}

class PipelineTokenizer implements Tokenizer {
  readonly name: string;
  readonly mode: TokenizerMode;
  readonly vocabSize: number;
  readonly padId: number;
  readonly digest: string;
  readonly definition: TokenizerDefinition;
  readonly #pipeline: ExactPipeline;

  /** For the mode `nemo`. */
  readonly #special: SpecialTokens;

  /** Tokens with which a text is not divided. */
  readonly #crossing: SpecialTokens;
  readonly #slowBert: BertNormalizerOptions | undefined;
  readonly #chunking: Chunking | undefined;
  readonly #memo = new WordMemo<number[]>();
  readonly #plainWords = new PlainWords();
  readonly #codeUnits = new CodeUnits();

  /** Of the latest text, for `bodyIds`. */
  readonly #bodyIds = new IdList(64);
  #pairTemplate: readonly PairPart[] | undefined;
  readonly #longestPiece: number;
  readonly #isForeign: boolean;

  constructor(definition: TokenizerDefinition) {
    this.definition = definition;
    this.name = definition.name;
    this.mode = definition.mode;
    this.padId = definition.padId;
    this.digest = digestOf(definition);
    this.#pipeline = exactPipeline(definition);
    const { added_tokens: added } = definition.json;
    const isNemo = definition.mode === 'nemo';
    this.#special = new SpecialTokens(isNemo ? added.map(({ content }) => content) : []);
    this.#slowBert = isNemo ? slowBertOptions(definition) : undefined;
    this.#chunking = isNemo ? 'at spaces' : chunkingOf(definition.json);
    this.#crossing = new SpecialTokens(isNemo ? [] : crossingTokens(added, this.#chunking));
    this.#longestPiece = longestPieceOf(definition.json);
    this.#isForeign = hasForeignPattern(definition.json);
    this.vocabSize = this.#pipeline.vocabSize;
  }

  encode(text: string, maxLength?: number): number[] {
    const { prefixIds, suffixIds } = this.definition;
    const limit = maxLength === undefined || maxLength <= 0 ? Infinity : roomForText(this.definition, maxLength);
    return [...prefixIds, ...this.bodyIds(text, limit), ...suffixIds];
  }

  encodePair(first: string, second: string, maxLength?: number): EncodedPair {
    const parts = (this.#pairTemplate ??= pairTemplateOf(this.definition));
    const specialTokens = parts.filter((part) => 'id' in part).length;
    const room = maxLength === undefined || maxLength <= 0 ? Infinity : requireRoom(specialTokens, maxLength);
    // Which of the texts is shortened more depends on their whole lengths.
    const texts = [this.bodyIds(first, Infinity), this.bodyIds(second, Infinity)] as const;
    const kept = pairLengths(texts[0].length, texts[1].length, room);
    const isTruncated = kept[0] < texts[0].length || kept[1] < texts[1].length;
    const pair: EncodedPair = { ids: [], typeIds: [], firstLength: 0, isTruncated };
    for (const part of parts) {
      for (const id of 'id' in part ? [part.id] : texts[part.text].slice(0, kept[part.text])) {
        pair.ids.push(id);
        pair.typeIds.push(part.typeId);
        if (part.typeId === 0) pair.firstLength++;
      }
    }
    return pair;
  }

  bodyIds(text: string, limit: number): number[] {
    this.#bodyIds.truncate(0);
    this.appendBodyIds(text, limit, this.#bodyIds);
    return this.#bodyIds.toNumbers();
  }

  appendBodyIds(text: string, limit: number, ids: IdList): void {
    if (!this.#chunking || this.#crossing.occurIn(text)) {
      ids.append(this.#wholeIds(text, limit));
      return;
    }
    const end = ids.length + limit;
    for (const window of text.length > windowLength ? windowsOf(text) : [text]) {
      if (this.#chunking === 'at spaces') this.#appendWords(window, end, ids);
      else this.#appendChunks(window, end, ids);
      if (ids.length >= end) break;
    }
    ids.truncate(end);
  }

  #appendMemorized(chunk: string, ids: IdList): void {
    ids.append(this.#memo.get(chunk, (word) => this.#chunkIds(word)));
  }

  /** Appends the ids of the chunks of a text, each with the space before it, until the list has `end` ids or more. */
  #appendChunks(text: string, end: number, ids: IdList): void {
    const units = this.#codeUnits.of(text);
    for (let at = 0; at < text.length && ids.length < end;) {
      const start = at;
      // A chunk after a boundary starts with a space and a printable character.
      const isSpaced = start > 0;
      let isPlain = isSpaced;
      let hash = 0;
      for (; at === start || (at < text.length && !isBoundary(units, at, text.length)); at++) {
        const unit = units[at] ?? 0;
        isPlain &&= isPrintable(unit) || at === start;
        hash = nextHash(hash, unit);
      }
      if (!isPlain || at - start > longestPlainWord) this.#appendMemorized(text.slice(start, at), ids);
      else if (!this.#plainWords.appendIds(units, start, at, hash, ids))
        this.#addWord(text.slice(start, at), hash, ids);
    }
  }

  /** Appends the ids of the words of a text, until the list has `end` ids or more. */
  #appendWords(text: string, end: number, ids: IdList): void {
    const units = this.#codeUnits.of(text);
    for (let at = 0; at < text.length && ids.length < end; at++) {
      const start = at;
      let hash = 0;
      let isPlain = true;
      for (; at < text.length; at++) {
        const unit = units[at] ?? 0;
        if (unit === 0x20) break;
        if (unit < 0x20 || unit > 0x7e) isPlain = false;
        hash = nextHash(hash, unit);
      }
      if (at === start) continue;
      if (!isPlain || at - start > longestPlainWord) this.#appendUnusualWord(text.slice(start, at), end, ids);
      else if (!this.#plainWords.appendIds(units, start, at, hash, ids))
        this.#addWord(text.slice(start, at), hash, ids);
    }
  }

  #addWord(word: string, hash: number, ids: IdList): void {
    const wordIds = this.#chunkIds(word);
    this.#plainWords.add(word, hash, wordIds);
    ids.append(wordIds);
  }

  /** NeMo divides at all white space. */
  #appendUnusualWord(text: string, end: number, ids: IdList): void {
    for (const word of this.mode === 'nemo' ? splitWords(text) : [text]) {
      if (ids.length >= end) return;
      this.#appendMemorized(word, ids);
    }
  }

  /** The ids of a text that can't be split into chunks. Of a very long one, only the beginning is read if that is enough. */
  #wholeIds(text: string, limit: number): number[] {
    if (text.length > this.#longestPiece) {
      const [beginning = ''] = windowsOf(text);
      const ids = this.#pipelineIds(beginning);
      if (ids.length > limit) return ids.slice(0, limit);
    }
    const ids = this.#pipelineIds(text);
    return ids.length > limit ? ids.slice(0, limit) : ids;
  }

  tokens(text: string, maxLength?: number): string[] {
    return this.encode(text, maxLength).map((id) => this.tokenOf(id));
  }

  tokenOf(id: number): string {
    return this.#pipeline.tokenOf(id) ?? '';
  }

  vocabulary(): Map<string, number> {
    return this.#pipeline.vocabulary();
  }

  #chunkIds(chunk: string): number[] {
    return this.#slowBert ? this.#slowBertIds(chunk, this.#slowBert) : this.#pipelineIds(chunk);
  }

  /** @throws TextRefused */
  #pipelineIds(text: string): number[] {
    return this.#process(text, () => this.#pipeline.idsOf(text));
  }

  #process<T>(text: string, run: () => T): T {
    if (text.length > this.#longestPiece) {
      throw new TextRefused(
        `a text has ${text.length} characters without a place to divide it; the tokenizer takes ${this.#longestPiece} at once`,
        { hint: 'a line of a text file should be one text: check that the file is what you think, or divide the line' },
      );
    }
    return this.#isForeign ? withTimeLimit(run) : run();
  }

  #slowBertIds(word: string, options: BertNormalizerOptions): number[] {
    const idsOf = (part: string): number[] => {
      if (!this.#special.has(part)) return this.#pipeline.wordIds(part);
      return [this.#pipeline.idOf(part) ?? this.definition.unknownId];
    };
    return this.#process(word, () => slowBertWords(word, this.#special, options).flatMap(idsOf));
  }
}

/** NOTE: the vocabulary is hashed separately as lines, because canonical JSON of 30,000 keys dominates the loading time. */
function digestOf({ json, ...definition }: TokenizerDefinition): string {
  const { vocab } = json.model;
  const byId = Array.isArray(vocab) ? vocab : Object.entries(vocab).sort(([a, i], [b, j]) => i - j || (a < b ? -1 : 1));
  const lines = byId.map(([token, number]) => `${JSON.stringify(token)} ${number}`);
  const model = { ...json.model, vocab: sha256Of(lines.join('\n')) };
  return sha256Of(canonicalJson({ revision, ...definition, json: { ...json, model } }));
}

/** Long enough that dividing costs nothing, and short enough that a text of megabytes takes little memory. */
const windowLength = 1 << 16;

/** Where every pipeline that divides texts may divide them: before a single space between printable ASCII characters. */
const boundary = /(?<=[!-~]) (?=[!-~])/g;

/** Divides a long text, so that one which is truncated is read only as far as necessary. */
function* windowsOf(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    boundary.lastIndex = start + windowLength;
    const end = start + windowLength < text.length ? (boundary.exec(text)?.index ?? text.length) : text.length;
    yield text.slice(start, end);
    start = end;
  }
}

/**
 * How many characters the pipeline takes at once. For each, BERT's pipeline needs up to 100 bytes of memory, Unigram's up to 200, and
 * BPE's up to 1,000.
 */
function longestPieceOf({ normalizer, model }: TokenizerDefinition['json']): number {
  if (model.type === 'WordPiece' && normalizer?.type === 'BertNormalizer') return 1 << 22;
  return model.type === 'Unigram' ? 1 << 20 : 1 << 18;
}

const isPrintable = (unit: number): boolean => unit > 0x20 && unit <= 0x7e;

/** Whether there is a single space between two printable ASCII characters. */
const isBoundary = (units: Uint16Array, at: number, length: number): boolean =>
  units[at] === 0x20 && at + 1 < length && isPrintable(units[at + 1] ?? 0) && isPrintable(units[at - 1] ?? 0);

function exactPipeline({ json }: TokenizerDefinition): ExactPipeline {
  try {
    return new ExactPipeline(json);
  } catch (error) {
    // The library compiles the patterns, and knows fewer of them than the Rust library.
    const reason = error instanceof Error ? error.message : String(error);
    throw new TokenizerError(`the tokenizer can't be used: ${reason}`, { hint: supported, cause: error });
  }
}

function slowBertOptions({ json: { normalizer } }: TokenizerDefinition): BertNormalizerOptions | undefined {
  return normalizer?.type === 'BertNormalizer' ? bertNormalizerOptions(normalizer) : undefined;
}
