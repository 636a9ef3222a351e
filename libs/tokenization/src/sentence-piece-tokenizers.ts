import { addTokens, type NewToken } from './add-tokens.js';
import { TokenizerError } from './errors.js';
import type { SpecialTokenNames } from './pipeline-json.js';
import { pieceTypes, type SentencePieceModel } from './sentence-piece-model.js';
import type { PipelineStep, TokenizerJson } from './tokenizer-definition.js';

/** What the files of a SentencePiece tokenizer say beside its model. */
export interface SentencePieceSettings {
  special: Required<SpecialTokenNames>;

  /** Of ALBERT and DeBERTa-v2. */
  lowercase: boolean;

  /** `keep_accents` of ALBERT. */
  keepsAccents: boolean;

  /** `split_by_punct` of DeBERTa-v2. */
  splitsPunctuation: boolean;

  /** `add_prefix_space`; all classes have true by default. */
  addsPrefixSpace: boolean;

  /** All tokens to add, in the order in which transformers adds them, given those of the model. */
  tokensToAdd: (ownTokens: readonly NewToken[]) => NewToken[];
}

type Scored = [token: string, score: number];

/** The vocabulary and the steps of a class, from transformers' tokenization_*.py and convert_slow_tokenizer.py (5.23). */
interface Conversion {
  vocabulary: (pieces: Scored[], special: Required<SpecialTokenNames>) => Scored[];

  /** What the class needs of a model, and why a given one lacks it; undefined if it lacks nothing. */
  lack?: (model: SentencePieceModel, special: Required<SpecialTokenNames>) => string | undefined;
  unknownId: (vocabulary: Scored[], model: SentencePieceModel, special: Required<SpecialTokenNames>) => number;
  normalizer: (charsmap: PipelineStep[], settings: SentencePieceSettings) => PipelineStep | null;
  preTokenizer: (metaspace: PipelineStep, settings: SentencePieceSettings) => PipelineStep[];
}

const replace = (pattern: { String: string } | { Regex: string }, content: string): PipelineStep => ({
  type: 'Replace',
  pattern,
  content,
});

const wordsThenMetaspace = (metaspace: PipelineStep): PipelineStep[] => [{ type: 'WhitespaceSplit' }, metaspace];

const conversions: Readonly<Record<string, Conversion>> = {
  AlbertTokenizer: {
    vocabulary: (pieces) => pieces,
    lack: ({ pieces }, { cls, sep }) => {
      const missing = [cls, sep].find((content) => pieces.every(({ piece }) => piece !== content));
      return missing === undefined
        ? undefined
        : `it has no piece ${JSON.stringify(missing)}, which is put around texts`;
    },
    unknownId: () => 1,
    normalizer: (charsmap, { keepsAccents, lowercase }) => ({
      type: 'Sequence',
      normalizers: [
        replace({ String: '``' }, '"'),
        replace({ String: "''" }, '"'),
        ...(keepsAccents ? [] : [{ type: 'NFKD' }, { type: 'StripAccents' }]),
        ...(lowercase ? [{ type: 'Lowercase' }] : []),
        ...charsmap,
      ],
    }),
    preTokenizer: wordsThenMetaspace,
  },
  XLMRobertaTokenizer: {
    // fairseq's ids: its own four tokens, then SentencePiece's without its three.
    vocabulary: (pieces, { cls, pad, sep, unk, mask }) => [
      [cls, 0],
      [pad, 0],
      [sep, 0],
      [unk, 0],
      ...pieces.slice(3),
      [mask, 0],
    ],
    unknownId: () => 3,
    normalizer: ([charsmap]) => charsmap ?? null,
    preTokenizer: wordsThenMetaspace,
  },
  CamembertTokenizer: {
    lack: ({ type }) => (type === 'unigram' ? undefined : `its type is ${type ?? 'unknown'}, not unigram`),
    vocabulary: (pieces, { pad, unk, mask }) => [
      ['<s>NOTUSED', 0],
      [pad, 0],
      ['</s>NOTUSED', 0],
      [unk, 0],
      ['<unk>NOTUSED', -100],
      ...pieces.slice(1),
      [mask, 0],
    ],
    unknownId: (vocabulary, _, { unk }) => Math.max(0, indexOf(vocabulary, unk)),
    normalizer: ([charsmap]) => charsmap ?? null,
    preTokenizer: wordsThenMetaspace,
  },
  DebertaV2Tokenizer: {
    vocabulary: (pieces) => pieces,
    unknownId: (vocabulary, { unknownId }, { unk }) => {
      const index = vocabulary.findIndex(([token, score]) => token === unk && score === 0);
      return index < 0 ? unknownId : index;
    },
    // NOTE: transformers 5 ignores the model's own map, unlike transformers 4.
    normalizer: (_, { lowercase }) => ({
      type: 'Sequence',
      normalizers: [
        ...(lowercase ? [{ type: 'Lowercase' }] : []),
        replace({ Regex: String.raw`\s{2,}|[\n\r\t]` }, ' '),
        { type: 'NFC' },
        { type: 'Strip', strip_left: false, strip_right: true },
      ],
    }),
    preTokenizer: (metaspace, { splitsPunctuation }) => [
      ...(splitsPunctuation ? [{ type: 'Punctuation', behavior: 'Isolated' }] : []),
      metaspace,
    ],
  },
};

/** When `Metaspace` puts a space before a text, by `add_prefix_space` of a class. */
export function prependScheme(className: string, addsPrefixSpace: boolean): 'always' | 'first' | 'never' {
  if (addsPrefixSpace) return 'always';
  return className === 'DebertaV2Tokenizer' ? 'first' : 'never';
}

/** Whether transformers converts SentencePiece models for a class. */
export const hasConversion = (className: string): boolean => Object.hasOwn(conversions, className);

/**
 * Builds the tokenizer.json of a SentencePiece model as transformers 5.23 does for a class.
 *
 * @param source - the model's file, for messages
 * @throws TokenizerError for a class without a conversion, or a model with too few pieces
 */
export function sentencePieceJson(
  className: string,
  model: SentencePieceModel,
  settings: SentencePieceSettings,
  source: string,
): TokenizerJson {
  const conversion = conversions[className];
  if (conversion === undefined || !hasConversion(className)) {
    throw new TokenizerError(`${source}: a SentencePiece model of the class ${className} is not supported`, {
      hint: `put the model's tokenizer.json next to it; the classes are ${Object.keys(conversions).join(', ')}`,
    });
  }
  const { special } = settings;
  const lack = conversion.lack?.(model, special);
  if (lack !== undefined) {
    throw new TokenizerError(`${source} is not a model of ${className}: ${lack}`, {
      hint: "state another tokenizer_class or other special tokens in tokenizer_config.json, or put the model's tokenizer.json next to it",
    });
  }
  const vocabulary = conversion.vocabulary(
    model.pieces.map(({ piece, score }): Scored => [piece, score]),
    special,
  );
  const unknownId = conversion.unknownId(vocabulary, model, special);
  if (unknownId < 0 || unknownId >= vocabulary.length) {
    throw new TokenizerError(
      `${source}: the unknown token has the id ${unknownId}, and there are ${vocabulary.length}`,
    );
  }
  const scheme = prependScheme(className, settings.addsPrefixSpace);
  const metaspace: PipelineStep = { type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split: true };
  const charsmap =
    model.charsmap.length === 0
      ? []
      : [{ type: 'Precompiled', precompiled_charsmap: Buffer.from(model.charsmap).toString('base64') }];
  const specialPieces = model.pieces.flatMap(({ piece, type }): NewToken[] =>
    type === pieceTypes.control || type === pieceTypes.userDefined
      ? [{ content: piece, special: type === pieceTypes.control, normalized: false }]
      : [],
  );
  const ids = new Map(vocabulary.map(([token], id) => [token, id]));
  return {
    added_tokens: addTokens(ids, settings.tokensToAdd(specialPieces)),
    normalizer: conversion.normalizer(charsmap, settings),
    pre_tokenizer: { type: 'Sequence', pretokenizers: conversion.preTokenizer(metaspace, settings) },
    post_processor: null,
    decoder: { ...metaspace },
    model: { type: 'Unigram', unk_id: unknownId, byte_fallback: false, vocab: vocabulary },
  };
}

const indexOf = (vocabulary: Scored[], content: string): number => vocabulary.findIndex(([token]) => token === content);
