import { ByteLevelPreTokenizer, Tokenizer as Pipeline } from '@huggingface/tokenizers';
import { largest } from '@nautil/contracts';
import { splitWords } from '@nautil/python-format';
import { canonicalJson, sha256Of } from '@nautil/store';
import { type BertNormalizerOptions, normalizeForBert } from './bert-normalizer.js';
import { CodeUnits } from './code-units.js';
import { TextRefused, TokenizerError } from './errors.js';
import { hasForeignPattern, withTimeLimit } from './foreign-pattern.js';
import { IdList } from './id-list.js';
import { longestPlainWord, nextHash, PlainWords } from './plain-words.js';
import { roomForText } from './room-for-text.js';
import { slowBertWords } from './slow-bert-words.js';
import { SpecialTokens } from './special-tokens.js';
import type { PipelineStep, TokenizerDefinition, TokenizerMode } from './tokenizer-definition.js';
import { supported } from './tokenizer-files.js';
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
const revision = 2;

/** How a text is split into chunks that the pipeline can process independently; see `chunkingOf`. */
interface Chunking {
  /** Whether every space separates chunks, and belongs to none. */
  atSpaces: boolean;

  /** Splits a text, or with `atSpaces` the part between two spaces. */
  split: (text: string) => string[];
}

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
  readonly #pipeline: Pipeline;
  readonly #special: SpecialTokens;
  readonly #slowBert: BertNormalizerOptions | undefined;
  readonly #chunking: Chunking | undefined;
  readonly #memo = new WordMemo<number[]>();
  readonly #plainWords = new PlainWords();
  readonly #codeUnits = new CodeUnits();

  /** Of the latest text, for `bodyIds`. */
  readonly #bodyIds = new IdList(64);
  readonly #longestPiece: number;
  readonly #isForeign: boolean;

  constructor(definition: TokenizerDefinition) {
    this.definition = definition;
    this.name = definition.name;
    this.mode = definition.mode;
    this.padId = definition.padId;
    this.digest = digestOf(definition);
    this.#pipeline = exactPipeline(definition);
    this.#special = new SpecialTokens(definition.json.added_tokens.map(({ content }) => content));
    this.#slowBert = definition.mode === 'nemo' ? bertNormalizerOptions(definition.json.normalizer) : undefined;
    this.#chunking = definition.mode === 'nemo' ? { atSpaces: true, split: splitWords } : chunkingOf(definition);
    this.#longestPiece = longestPieceOf(definition.json);
    this.#isForeign = hasForeignPattern(definition.json);
    this.vocabSize = largest(this.vocabulary().values()) + 1;
  }

  encode(text: string, maxLength?: number): number[] {
    const { prefixIds, suffixIds } = this.definition;
    const limit = maxLength === undefined || maxLength <= 0 ? Infinity : roomForText(this.definition, maxLength);
    return [...prefixIds, ...this.bodyIds(text, limit), ...suffixIds];
  }

  bodyIds(text: string, limit: number): number[] {
    this.#bodyIds.truncate(0);
    this.appendBodyIds(text, limit, this.#bodyIds);
    return this.#bodyIds.toNumbers();
  }

  appendBodyIds(text: string, limit: number, ids: IdList): void {
    // NOTE: special tokens may absorb the spaces around them, so a text that contains one cannot be split into chunks.
    if (!this.#chunking || (this.mode === 'standard' && this.#special.occurIn(text))) {
      ids.append(this.#wholeIds(text, limit));
      return;
    }
    const end = ids.length + limit;
    for (const window of text.length > windowLength ? windowsOf(text) : [text]) {
      if (this.#chunking.atSpaces) this.#appendWords(window, this.#chunking.split, end, ids);
      else this.#appendChunks(this.#chunking.split(window), end, ids);
      if (ids.length >= end) break;
    }
    ids.truncate(end);
  }

  #appendChunks(chunks: readonly string[], end: number, ids: IdList): void {
    for (const chunk of chunks) {
      ids.append(this.#memo.get(chunk, (word) => this.#chunkIds(word)));
      if (ids.length >= end) return;
    }
  }

  /** Appends the ids of the words of a text, until the list has `end` ids or more. */
  #appendWords(text: string, split: Chunking['split'], end: number, ids: IdList): void {
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
      if (!isPlain || at - start > longestPlainWord) {
        this.#appendChunks(split(text.slice(start, at)), end, ids);
      } else if (!this.#plainWords.appendIds(units, start, at, hash, ids)) {
        const word = text.slice(start, at);
        const wordIds = this.#chunkIds(word);
        this.#plainWords.add(word, hash, wordIds);
        ids.append(wordIds);
      }
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
    return this.#pipeline.id_to_token(id) ?? '';
  }

  vocabulary(): Map<string, number> {
    const vocabulary = new Map<string, number>();
    for (const [token, id] of this.#pipeline.get_vocab()) if (token !== undefined) vocabulary.set(token, id);
    return vocabulary;
  }

  #chunkIds(chunk: string): number[] {
    return this.#slowBert ? this.#slowBertIds(chunk, this.#slowBert) : this.#pipelineIds(chunk);
  }

  /** @throws TextRefused */
  #pipelineIds(text: string): number[] {
    return this.#process(text, () => this.#pipeline.encode(text, { add_special_tokens: false }).ids);
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
    const { model } = this.#pipeline;
    const idsOf = (part: string): number[] => {
      const tokens = this.#special.has(part) ? [part] : (model?.encode([part]) ?? []);
      return tokens.map((token) => this.#pipeline.token_to_id(token) ?? this.definition.unknownId);
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

/** Where the chunks of every pipeline may be divided: before a single space in front of a word. */
const boundary = / (?=\P{White_Space})/gu;

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
 * How many characters the pipeline takes at once. For each, BERT's pipeline needs up to 100 bytes of memory, and the others up to
 * 1,000. Unigram's passes its tokens as arguments, of which a call takes about 120,000.
 */
function longestPieceOf({ normalizer, model }: TokenizerDefinition['json']): number {
  if (model.type === 'WordPiece' && normalizer?.type === 'BertNormalizer') return 1 << 22;
  return model.type === 'Unigram' ? 100_000 : 1 << 18;
}

/** The pipeline of `@huggingface/tokenizers`, with the steps replaced that differ from the Rust library. */
function exactPipeline({ json }: TokenizerDefinition): Pipeline {
  let pipeline: Pipeline;
  try {
    // Ids need neither the decoder nor the post-processor: the definition has the ids before and after each text.
    pipeline = new Pipeline({ ...json, decoder: null, post_processor: null }, {});
  } catch (error) {
    // The library compiles the patterns, and knows fewer of them than the Rust library.
    const reason = error instanceof Error ? error.message : String(error);
    throw new TokenizerError(`the tokenizer can't be used: ${reason}`, { hint: supported, cause: error });
  }
  const bert = bertNormalizerOptions(json.normalizer);
  if (bert) pipeline.normalizer = (text) => normalizeForBert(text, bert);
  if (pipeline.pre_tokenizer instanceof ByteLevelPreTokenizer) {
    // JavaScript's \s includes U+FEFF and excludes U+0085, unlike the reference.
    pipeline.pre_tokenizer.pattern =
      /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
  }
  return pipeline;
}

function bertNormalizerOptions(step: PipelineStep | null): BertNormalizerOptions | undefined {
  if (step?.type !== 'BertNormalizer') return undefined;
  return {
    cleanText: step.clean_text !== false,
    splitIdeographs: step.handle_chinese_chars !== false,
    lowercase: step.lowercase === true,
    stripAccents: typeof step.strip_accents === 'boolean' ? step.strip_accents : null,
  };
}

/**
 * How to split a text without special tokens into chunks whose concatenated ids equal the ids of the text: at spaces for BERT,
 * and before the last space of a run for byte-level BPE, where that space belongs to the next word. Undefined for other
 * pipelines, which process the whole text.
 */
function chunkingOf({ json }: TokenizerDefinition): Chunking | undefined {
  if (json.added_tokens.some(({ normalized }) => normalized)) return undefined;
  if (json.normalizer?.type === 'BertNormalizer' && json.pre_tokenizer?.type === 'BertPreTokenizer') {
    return { atSpaces: true, split: (text) => [text] };
  }
  const isByteLevel = json.pre_tokenizer?.type === 'ByteLevel' && json.pre_tokenizer.use_regex !== false;
  if (json.normalizer === null && isByteLevel && json.pre_tokenizer?.add_prefix_space !== true) {
    return { atSpaces: false, split: (text) => (text === '' ? [] : text.split(/(?= \P{White_Space})/u)) };
  }
  return undefined;
}
