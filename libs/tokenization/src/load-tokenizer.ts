import { isUnsupportedTokenizer, type JsonObject } from '@nautil/contracts';
import { type Casing, decideCasing, lowercases } from './casing.js';
import { TokenizerError } from './errors.js';
import { type Merge, mergesFromVocabulary, parseMerges } from './merges.js';
import { byteLevelJson, type SpecialTokenNames, wordPieceJson } from './pipeline-json.js';
import { configuredSpecialTokens, edgesOf, readSpecialTokens, requireInVocabulary } from './special-token-roles.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';
import type { TokenizerJson, TokenizerMode } from './tokenizer-definition.js';
import {
  existing,
  parseVocabularyJson,
  parseVocabularyText,
  readFolderJson,
  readJson,
  readText,
  supported,
  tokenizerJsonOf,
} from './tokenizer-files.js';

export interface TokenizerOptions {
  /** Folder in Hugging Face's layout: tokenizer.json, vocab.txt, or vocab.json with merges.txt; and tokenizer_config.json. */
  folder?: string | undefined;

  /** vocab.txt (WordPiece) or vocab.json (byte-level BPE); takes precedence over the folder's files. */
  vocabFile?: string | undefined;

  /** merges.txt of a vocab.json; without it, the merges are reconstructed from the vocabulary where possible. */
  mergesFile?: string;

  /** A tokenizer.json; takes precedence over the folder's files. */
  tokenizerJson?: string;

  /** Name of the configured tokenizer or model; determines the casing when neither the files nor the vocabulary do. */
  name?: string;

  /** `model_type` of the encoder's config.json; determines the class name when no file does. */
  modelType?: string;

  /** Applies when the tokenizer's files do not determine the casing. */
  doLowerCase?: boolean | undefined;

  /** NeMo's `special_tokens`: `{ pad_token: '[PAD]', … }`; each must be in the vocabulary. */
  specialTokens?: Record<string, string> | null | undefined;

  /** Default standard. */
  mode?: TokenizerMode;
}

export interface LoadedTokenizer extends Tokenizer {
  /** The files that were read. */
  readonly files: { vocab?: string; merges?: string; tokenizerJson?: string };

  /** Decisions and their reasons. */
  readonly notes: string[];

  /** Conflicts between an option and the tokenizer's files, and how they were resolved. */
  readonly warnings: string[];
}

const classNames: Record<string, string> = {
  bert: 'BertTokenizer',
  'megatron-bert': 'BertTokenizer',
  distilbert: 'DistilBertTokenizer',
  roberta: 'RobertaTokenizer',
  camembert: 'CamembertTokenizer',
  'xlm-roberta': 'XLMRobertaTokenizer',
};

/**
 * Loads a tokenizer from Hugging Face's files. Explicit files take precedence over the folder's, and `tokenizer.json` over
 * vocabularies.
 *
 * @throws TokenizerError for a missing or invalid file, an unsupported kind, or a special token outside the vocabulary
 *
 * @example
 * const tokenizer = await loadTokenizer({ folder: 'models/bert-base-uncased', mode: 'nemo' });
 * tokenizer.encode('a fine film', 256); // [101, 1037, 2986, 2143, 102]
 */
export async function loadTokenizer(options: TokenizerOptions): Promise<LoadedTokenizer> {
  requireSupportedTokenizer(options.name);
  const config = (await readFolderJson(options.folder, 'tokenizer_config.json')) ?? {};
  const source = await readSource(options, config);
  const { json, casing } = source;
  requireInVocabulary(options.specialTokens, json);
  const special = { ...source.special, ...readSpecialTokens(options.specialTokens) };
  const edges = edgesOf(json, special, options.specialTokens ?? {});
  const tokenizer = createTokenizer({
    name: await className(options, config, json),
    mode: options.mode ?? 'standard',
    json,
    ...edges,
  });
  return Object.assign(tokenizer, {
    files: source.files,
    notes: [...source.notes, ...casing.notes],
    warnings: casing.warnings,
  });
}

interface Source {
  json: TokenizerJson;
  special: SpecialTokenNames;
  casing: Casing;
  files: LoadedTokenizer['files'];
  notes: string[];
}

/** @throws TokenizerError for the name of a tokenizer kind that NeMo has and Nautil does not. Such a name is no model's. */
export function requireSupportedTokenizer(name: string | undefined): void {
  if (name === undefined || !isUnsupportedTokenizer(name)) return;
  throw new TokenizerError(`the tokenizer "${name.toLowerCase()}" is not supported`, { hint: supported });
}

async function readSource(options: TokenizerOptions, config: JsonObject): Promise<Source> {
  const { folder } = options;
  if (options.vocabFile) return fromVocabulary(options, config, options.vocabFile);
  const json = options.tokenizerJson ?? (await existing(folder, 'tokenizer.json'));
  if (json) return fromTokenizerJson(options, config, json);
  const vocab = (await existing(folder, 'vocab.txt')) ?? (await existing(folder, 'vocab.json'));
  if (vocab) return fromVocabulary(options, config, vocab);
  const sentencepiece = (await existing(folder, 'sentencepiece.bpe.model')) ?? (await existing(folder, 'spiece.model'));
  if (sentencepiece) {
    throw new TokenizerError(`${sentencepiece}: sentencepiece model files are not supported`, {
      hint: `put the model's tokenizer.json next to it; ${supported}`,
    });
  }
  if (!folder) throw new TokenizerError('no tokenizer: neither a folder nor a file was given', { hint: supported });
  throw new TokenizerError(`${folder} has no tokenizer: it contains none of tokenizer.json, vocab.txt and vocab.json`, {
    hint: 'set model.tokenizer.vocab_file, or name a folder in the layout of the Hugging Face hub',
  });
}

async function fromVocabulary(options: TokenizerOptions, config: JsonObject, vocabFile: string): Promise<Source> {
  const text = await readText(vocabFile);
  const named = await configuredSpecialTokens(options.folder, config);
  if (text.trimStart().startsWith('{')) {
    const vocabulary = parseVocabularyJson(vocabFile, text);
    const special: SpecialTokenNames = {
      cls: '<s>',
      sep: '</s>',
      pad: '<pad>',
      unk: '<unk>',
      mask: '<mask>',
      ...named,
    };
    const { merges, notes, files } = await readMerges(options, vocabFile, vocabulary, special);
    const json = byteLevelJson(vocabulary, merges, special, config.add_prefix_space === true);
    const casing = decideCasing({
      source: vocabFile,
      inFiles: false,
      settingSource: 'byte-level BPE',
      requested: options.doLowerCase,
    });
    return { json, special, casing, notes, files: { vocab: vocabFile, ...files } };
  }
  const vocabulary = parseVocabularyText(vocabFile, text);
  const special: SpecialTokenNames = {
    cls: '[CLS]',
    sep: '[SEP]',
    pad: '[PAD]',
    unk: '[UNK]',
    mask: '[MASK]',
    ...named,
  };
  const casing = decideCasing({
    source: vocabFile,
    inFiles: configuredLowerCase(config),
    settingSource: 'tokenizer_config.json',
    requested: options.doLowerCase,
    name: options.name,
    vocabulary: vocabulary.keys(),
    specialTokens: [...Object.values<string>({ ...special }), ...Object.values<string>(options.specialTokens ?? {})],
  });
  const json = wordPieceJson(vocabulary, special, {
    lowercase: casing.lowercase,
    stripAccents: booleanOf(config.strip_accents) ?? null,
    splitIdeographs: config.tokenize_chinese_chars !== false,
  });
  return { json, special, casing, notes: [], files: { vocab: vocabFile } };
}

async function fromTokenizerJson(options: TokenizerOptions, config: JsonObject, file: string): Promise<Source> {
  const json = tokenizerJsonOf(file, await readJson(file));
  const special = await configuredSpecialTokens(options.folder, config);
  const normalizer = json.normalizer;
  const bert = normalizer?.type === 'BertNormalizer' ? normalizer : undefined;
  // As in Hugging Face's fast BERT tokenizers, tokenizer_config.json overrides tokenizer.json.
  const configured = bert ? configuredLowerCase(config) : undefined;
  const casing = decideCasing({
    source: file,
    inFiles: configured ?? lowercases(normalizer),
    settingSource: configured === undefined ? 'tokenizer.json' : 'tokenizer_config.json',
    requested: options.doLowerCase,
    vocabulary: bert && json.model.type === 'WordPiece' ? Object.keys(json.model.vocab) : [],
    specialTokens: [
      ...json.added_tokens.map(({ content }) => content),
      ...Object.values<string>({ ...special }),
      ...Object.values<string>(options.specialTokens ?? {}),
    ],
  });
  if (bert) {
    json.normalizer = {
      ...bert,
      lowercase: casing.lowercase,
      strip_accents: booleanOf(config.strip_accents) ?? booleanOf(bert.strip_accents) ?? null,
      handle_chinese_chars: booleanOf(config.tokenize_chinese_chars) ?? bert.handle_chinese_chars !== false,
    };
  }
  const files: LoadedTokenizer['files'] = { tokenizerJson: file };
  const vocab = (await existing(options.folder, 'vocab.txt')) ?? (await existing(options.folder, 'vocab.json'));
  const merges = await existing(options.folder, 'merges.txt');
  if (vocab) files.vocab = vocab;
  if (merges) files.merges = merges;
  return { json, special, casing, notes: [], files };
}

async function readMerges(
  options: TokenizerOptions,
  vocabFile: string,
  vocabulary: Map<string, number>,
  special: SpecialTokenNames,
): Promise<{ merges: Merge[]; notes: string[]; files: { merges?: string } }> {
  const file = options.mergesFile ?? (await existing(options.folder, 'merges.txt'));
  if (file) return { merges: parseMerges(file, await readText(file)), notes: [], files: { merges: file } };
  const merges = mergesFromVocabulary(vocabFile, vocabulary, new Set(Object.values(special)));
  const note = `there is no merges.txt: ${merges.length} merges were reconstructed from the order of ids in ${vocabFile}`;
  return { merges, notes: [note], files: {} };
}

async function className(options: TokenizerOptions, config: JsonObject, json: TokenizerJson): Promise<string> {
  const configured =
    typeof config.tokenizer_class === 'string' ? config.tokenizer_class.replace(/Fast$/, '') : undefined;
  if (configured && configured !== 'PreTrainedTokenizer' && configured !== 'TokenizersBackend') return configured;
  const modelType = options.modelType ?? (await readFolderJson(options.folder, 'config.json'))?.model_type;
  const byModel = typeof modelType === 'string' ? classNames[modelType] : undefined;
  return byModel ?? { WordPiece: 'BertTokenizer', BPE: 'RobertaTokenizer' }[json.model.type] ?? 'XLMRobertaTokenizer';
}

/** `do_lower_case` of tokenizer_config.json. A value of another kind is an error: ignoring it could change every token. */
function configuredLowerCase({ do_lower_case: value }: JsonObject): boolean | undefined {
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined;
  throw new TokenizerError(
    `tokenizer_config.json: do_lower_case is ${JSON.stringify(value)}, which is neither true nor false`,
    { hint: 'write true or false, or remove it' },
  );
}

function booleanOf(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
