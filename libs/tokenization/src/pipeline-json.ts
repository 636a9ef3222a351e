import type { Merge } from './merges.js';
import type { AddedToken, TokenizerJson } from './tokenizer-definition.js';

/** Special tokens by role. */
export interface SpecialTokenNames {
  cls?: string;
  sep?: string;
  pad?: string;
  unk?: string;
  mask?: string;
}

/** The special tokens of a vocabulary. */
export interface VocabularyTokens {
  added: AddedToken[];
  special: SpecialTokenNames;
}

/** Builds the `tokenizer.json` of a BERT vocabulary. */
export function wordPieceJson(
  vocabulary: Map<string, number>,
  { added, special }: VocabularyTokens,
  options: { lowercase: boolean; stripAccents: boolean | null; splitIdeographs: boolean },
): TokenizerJson {
  return {
    added_tokens: added,
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: options.splitIdeographs,
      strip_accents: options.stripAccents,
      lowercase: options.lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: special.unk,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: record(vocabulary),
    },
  };
}

/** Builds the `tokenizer.json` of a RoBERTa vocabulary and its merges. */
export function byteLevelJson(
  vocabulary: Map<string, number>,
  merges: Merge[],
  added: AddedToken[],
  addPrefixSpace: boolean,
): TokenizerJson {
  const step = { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: true };
  return {
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: step,
    post_processor: null,
    decoder: step,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: record(vocabulary),
      merges,
    },
  };
}

/** NOTE: the record has no prototype, because a token named `__proto__` would otherwise be lost. */
function record(vocabulary: Map<string, number>): Record<string, number> {
  return Object.assign(Object.create(null) as Record<string, number>, Object.fromEntries(vocabulary));
}
