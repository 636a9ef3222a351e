import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { TokenizerError } from './errors.js';
import type { SpecialTokenNames } from './pipeline-json.js';
import { supported } from './supported.js';

const bert = { cls: '[CLS]', sep: '[SEP]', pad: '[PAD]', unk: '[UNK]', mask: '[MASK]' } as const;
const roberta = { cls: '<s>', sep: '</s>', pad: '<pad>', unk: '<unk>', mask: '<mask>' } as const;

/** What a class of transformers' tokenizers has by default. */
export interface TokenizerClass {
  /** The file of its vocabulary, which is preferred where a folder has several. */
  readonly vocabularyFile: string;

  readonly special: Readonly<Required<SpecialTokenNames>>;

  /** Which special tokens are around a text. Only a configuration that changes one of them makes a difference. */
  readonly edges: 'cls and sep' | 'bos and eos';

  /** How the tokens of a pair are separated: one `sep` and other type ids, or two of them. */
  readonly pair: 'typed' | 'double';

  /** Whether `mask` absorbs the space before it, unless the files say otherwise. */
  readonly maskStripsLeft: boolean;

  /** Whether text is lower-cased, unless the files say otherwise. Undefined for a class that has no such option. */
  readonly lowercase?: boolean;
}

/** The classes whose files are read without a tokenizer.json, by their names without `Fast` (transformers 5.23). */
const classes: Readonly<Record<string, TokenizerClass>> = {
  BertTokenizer: {
    vocabularyFile: 'vocab.txt',
    special: bert,
    edges: 'cls and sep',
    pair: 'typed',
    maskStripsLeft: false,
  },
  RobertaTokenizer: {
    vocabularyFile: 'vocab.json',
    special: roberta,
    edges: 'cls and sep',
    pair: 'double',
    maskStripsLeft: true,
  },
  MPNetTokenizer: {
    vocabularyFile: 'vocab.txt',
    special: { ...roberta, unk: '[UNK]' },
    edges: 'cls and sep',
    pair: 'double',
    maskStripsLeft: true,
  },
  AlbertTokenizer: {
    vocabularyFile: 'spiece.model',
    special: { ...bert, pad: '<pad>', unk: '<unk>' },
    edges: 'cls and sep',
    pair: 'typed',
    maskStripsLeft: false,
    lowercase: true,
  },
  XLMRobertaTokenizer: {
    vocabularyFile: 'sentencepiece.bpe.model',
    special: roberta,
    edges: 'bos and eos',
    pair: 'double',
    maskStripsLeft: false,
  },
  CamembertTokenizer: {
    vocabularyFile: 'sentencepiece.bpe.model',
    special: roberta,
    edges: 'bos and eos',
    pair: 'double',
    maskStripsLeft: true,
  },
  DebertaV2Tokenizer: {
    vocabularyFile: 'spm.model',
    special: bert,
    edges: 'cls and sep',
    pair: 'typed',
    maskStripsLeft: false,
    lowercase: false,
  },
};

/** Classes that differ from another one only in their name. */
const aliases: Readonly<Record<string, string>> = {
  DistilBertTokenizer: 'BertTokenizer',
  ElectraTokenizer: 'BertTokenizer',
  MobileBertTokenizer: 'BertTokenizer',
  RetriBertTokenizer: 'BertTokenizer',
  SqueezeBertTokenizer: 'BertTokenizer',
  ConvBertTokenizer: 'BertTokenizer',
};

/** The class of each `model_type` of a config.json. */
const byModelType: Readonly<Record<string, string>> = {
  bert: 'BertTokenizer',
  'megatron-bert': 'BertTokenizer',
  distilbert: 'DistilBertTokenizer',
  electra: 'ElectraTokenizer',
  mpnet: 'MPNetTokenizer',
  roberta: 'RobertaTokenizer',
  camembert: 'CamembertTokenizer',
  'xlm-roberta': 'XLMRobertaTokenizer',
  albert: 'AlbertTokenizer',
  'deberta-v2': 'DebertaV2Tokenizer',
  modernbert: 'PreTrainedTokenizer',
};

/** Classes that their files do not describe completely: programs divide the text first, or instead. */
const unsupported: Readonly<Record<string, string>> = {
  BertJapaneseTokenizer:
    'it divides texts into words with MeCab, Sudachi or Juman++, programs with dictionaries of their own',
  BertweetTokenizer: 'it rewrites tweets with a program before it divides them',
  PhobertTokenizer: 'it expects texts that VnCoreNLP has divided into words',
  HerbertTokenizer: 'it divides texts into words with the rules of Moses',
  FlaubertTokenizer: 'it divides texts into words with the rules of Moses',
  XLMTokenizer: 'it divides texts into words with the rules of Moses, and programs for Japanese, Chinese and Thai',
  RoFormerTokenizer: 'it divides texts into words with jieba, a program with a dictionary of its own',
  CpmTokenizer: 'it divides texts into words with jieba, a program with a dictionary of its own',
  CanineTokenizer: 'it has no vocabulary: its ids are those of Unicode',
  ByT5Tokenizer: 'it has no vocabulary: its ids are bytes',
  EsmTokenizer: 'its tokens are amino acids, not words',
};

/** The names that say nothing about the kind of tokenizer. */
const genericClasses: ReadonlySet<string> = new Set(['PreTrainedTokenizer', 'TokenizersBackend']);

/** The files of a folder that may state its tokenizer's class. */
export interface ClassFiles {
  /** tokenizer_config.json. */
  readonly tokenizerConfig: JsonObject;

  /** config.json, the encoder's. */
  readonly modelConfig: JsonObject;
}

const classFiles = { tokenizerConfig: 'tokenizer_config.json', modelConfig: 'config.json' } as const;

/** The first `tokenizer_class` of the files, in the order of transformers' AutoTokenizer; without `Fast`. */
function statedClass(files: ClassFiles): { name: string; file: string } | undefined {
  for (const key of ['tokenizerConfig', 'modelConfig'] as const) {
    const { tokenizer_class: stated } = files[key];
    const name = typeof stated === 'string' ? stated.replace(/Fast$/, '') : '';
    if (name !== '') return { name, file: classFiles[key] };
  }
  return undefined;
}

/** The configured class without `Fast`; undefined for none or a generic one, which hides that of config.json. */
export function configuredClass(files: ClassFiles): string | undefined {
  const name = statedClass(files)?.name;
  return name === undefined || genericClasses.has(name) ? undefined : name;
}

/** The class of a model's type. */
export const classOfModelType = (modelType: unknown): string | undefined =>
  typeof modelType === 'string' && Object.hasOwn(byModelType, modelType) ? byModelType[modelType] : undefined;

/** The defaults of a class; undefined for one that is not known. */
export function tokenizerClass(name: string): TokenizerClass | undefined {
  const plain = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
  return Object.hasOwn(classes, plain) ? classes[plain] : undefined;
}

/**
 * Rejects a tokenizer that needs more than its files: by its class, or by the program that divides texts into words.
 *
 * @param source - the folder, for messages
 * @throws TokenizerError with the reason
 */
export function requireSupportedClass(files: ClassFiles, source: string): void {
  const stated = statedClass(files);
  if (stated !== undefined && Object.hasOwn(unsupported, stated.name)) {
    const { name, file } = stated;
    throw new TokenizerError(
      `${source}: the tokenizer ${name} (${file}) is not supported: ${unsupported[name] ?? ''}`,
      { hint: supported },
    );
  }
  const { tokenizerConfig: config } = files;
  for (const key of ['word_tokenizer_type', 'subword_tokenizer_type']) {
    const value = config[key];
    if (value === undefined || value === null || value === 'basic' || value === 'wordpiece') continue;
    const shown = isJsonObject(value) ? 'an object' : JSON.stringify(value);
    throw new TokenizerError(
      `${source}: tokenizer_config.json: ${key} ${shown} is not supported: a program outside the tokenizer's files would divide the texts`,
      { hint: supported },
    );
  }
}
