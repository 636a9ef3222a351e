import { basename } from 'node:path';
import { isJsonObject, isUnsupportedTokenizer, type JsonObject } from '@nautil/contracts';
import { addTokens, type NewToken } from './add-tokens.js';
import { type Casing, decideCasing, lowercases } from './casing.js';
import { TokenizerError, TokenizerMissing } from './errors.js';
import { type Merge, mergesFromVocabulary, parseMerges } from './merges.js';
import { byteLevelJson, type SpecialTokenNames, wordPieceJson } from './pipeline-json.js';
import { parseSentencePieceModel } from './sentence-piece-model.js';
import { hasConversion, prependScheme, sentencePieceJson } from './sentence-piece-tokenizers.js';
import {
  type ConfiguredTokens,
  configuredTokens,
  contentsOf,
  edgesOf,
  idOf,
  readSpecialTokens,
  requireInVocabulary,
  specialTokensOf,
  tokensToAdd,
} from './special-token-roles.js';
import { stepsOf } from './steps-of.js';
import { supported } from './supported.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';
import {
  classOfModelType,
  configuredClass,
  requireSupportedClass,
  type TokenizerClass,
  tokenizerClass,
} from './tokenizer-classes.js';
import type { TokenizerJson, TokenizerMode } from './tokenizer-definition.js';
import {
  existing,
  parseVocabularyJson,
  parseVocabularyText,
  readBytes,
  readFolderJson,
  readJson,
  readText,
  tokenizerJsonOf,
} from './tokenizer-files.js';
import { requireTokenizerJson } from './tokenizer-schema.js';

export interface TokenizerOptions {
  /**
   * Folder in Hugging Face's layout: tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece model; and
   * tokenizer_config.json.
   */
  folder?: string | undefined;

  /** vocab.txt (WordPiece), vocab.json (byte-level BPE) or a SentencePiece model (.model); takes precedence over the folder's files. */
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

/**
 * Loads a tokenizer from Hugging Face's files. Explicit files take precedence over the folder's, and `tokenizer.json` over
 * vocabularies.
 *
 * @throws TokenizerMissing, and TokenizerError for an invalid file, an unsupported kind or class, or a special token outside the vocabulary
 *
 * @example
 * const tokenizer = await loadTokenizer({ folder: 'models/bert-base-uncased', mode: 'nemo' });
 * tokenizer.encode('a fine film', 256); // [101, 1037, 2986, 2143, 102]
 */
export async function loadTokenizer(options: TokenizerOptions): Promise<LoadedTokenizer> {
  requireSupportedTokenizer(options.name);
  const config = (await readFolderJson(options.folder, 'tokenizer_config.json')) ?? {};
  const modelConfig = (await readFolderJson(options.folder, 'config.json')) ?? {};
  const classFiles = { tokenizerConfig: config, modelConfig };
  requireSupportedClass(classFiles, options.folder ?? 'the tokenizer');
  const stated = configuredClass(classFiles) ?? classOfModelType(options.modelType ?? modelConfig['model_type']);
  const tokens = await configuredTokens(options.folder, config);
  const source = await readSource({ ...options, config, className: stated, tokens });
  const { json, casing } = source;
  const sides =
    options.mode === 'nemo' ? [] : sideNotes(config, source.written ?? {}, options.folder ?? 'the tokenizer');
  requireInVocabulary(options.specialTokens, json);
  const special = { ...source.special, ...readSpecialTokens(options.specialTokens) };
  const tokenizer = createTokenizer({
    name: stated ?? source.className,
    mode: options.mode ?? 'standard',
    json,
    ...edgesOf(json, special, options.specialTokens ?? {}),
  });
  return Object.assign(tokenizer, {
    files: source.files,
    notes: [...source.notes, ...casing.notes, ...sides],
    warnings: casing.warnings,
  });
}

/** What the options and the files beside the vocabulary say. */
interface Request extends TokenizerOptions {
  /** tokenizer_config.json. */
  config: JsonObject;

  /** Undefined when neither tokenizer_config.json nor config.json states one. */
  className: string | undefined;
  tokens: ConfiguredTokens;
}

interface Source {
  json: TokenizerJson;

  /** The class that the kind of file suggests. */
  className: string;
  special: SpecialTokenNames;
  casing: Casing;
  files: LoadedTokenizer['files'];
  notes: string[];

  /** tokenizer.json as it is in the file. */
  written?: JsonObject;
}

/** @throws TokenizerError for the name of a tokenizer kind that NeMo has and Nautil does not. Such a name is no model's. */
export function requireSupportedTokenizer(name: string | undefined): void {
  if (name === undefined || !isUnsupportedTokenizer(name)) return;
  throw new TokenizerError(`NeMo's tokenizer "${name.toLowerCase()}" is not supported`, { hint: supported });
}

/** In the order of preference; each with the class that has a file of this name. */
const sentencePieceNames: Readonly<Record<string, string>> = {
  'sentencepiece.bpe.model': 'XLMRobertaTokenizer',
  'spiece.model': 'AlbertTokenizer',
  'spm.model': 'DebertaV2Tokenizer',
};

const vocabularyNames = ['vocab.txt', 'vocab.json', ...Object.keys(sentencePieceNames)];

/** The vocabulary of a class first. */
function preferredNames(className: string | undefined): readonly string[] {
  const { vocabularyFile } = (className === undefined ? undefined : tokenizerClass(className)) ?? {};
  return vocabularyFile === undefined ? vocabularyNames : [vocabularyFile, ...vocabularyNames];
}

async function readSource(request: Request): Promise<Source> {
  const { folder, vocabFile } = request;
  if (vocabFile) return fromVocabulary(request, vocabFile);
  const json = request.tokenizerJson ?? (await existing(folder, 'tokenizer.json'));
  if (json) return fromTokenizerJson(request, json);
  const vocabulary = await firstExisting(folder, preferredNames(request.className));
  if (vocabulary) return fromVocabulary(request, vocabulary);
  if (!folder) throw new TokenizerMissing('no tokenizer: neither a folder nor a file was given', { hint: supported });
  throw new TokenizerMissing(
    `${folder} has no tokenizer: it contains none of tokenizer.json, ${vocabularyNames.slice(0, -1).join(', ')} and ${vocabularyNames.at(-1)}`,
    { hint: 'set model.tokenizer.vocab_file, or name a folder in the layout of the Hugging Face hub' },
  );
}

async function firstExisting(folder: string | undefined, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const file = await existing(folder, name);
    if (file !== undefined) return file;
  }
  return undefined;
}

async function fromVocabulary(request: Request, file: string): Promise<Source> {
  if (file.endsWith('.model')) return fromSentencePiece(request, file);
  const text = await readText(file);
  return text.trimStart().startsWith('{') ? fromByteLevel(request, file, text) : fromWordPiece(request, file, text);
}

/** The tokens of a vocabulary with their roles. A token of a role that the vocabulary lacks is left out, unless a file adds it. */
function vocabularyTokens(
  vocabulary: ReadonlyMap<string, number>,
  { tokens }: Request,
  defaults: TokenizerClass,
): { added: NewToken[]; special: Required<SpecialTokenNames> } {
  const special = specialTokensOf(tokens, defaults);
  const extra = tokens.extra ?? tokens.mapped;
  const added = new Set([...tokens.added, ...tokens.own, ...extra].map(({ content }) => content));
  const known = tokensToAdd(tokens, special, extra).filter(
    ({ content }) => vocabulary.has(content) || added.has(content),
  );
  return { added: known, special: contentsOf(special, defaults.edges) };
}

const classDefaults = (name: string | undefined, fallback: string): TokenizerClass => {
  const known = (name === undefined ? undefined : tokenizerClass(name)) ?? tokenizerClass(fallback);
  if (known === undefined) throw new TypeError(`${fallback} is not a class of tokenizers`);
  return known;
};

async function fromByteLevel(request: Request, file: string, text: string): Promise<Source> {
  const className = 'RobertaTokenizer';
  const vocabulary = parseVocabularyJson(file, text);
  const { added, special } = vocabularyTokens(vocabulary, request, classDefaults(request.className, className));
  const { merges, notes, files } = await readMerges(request, file, vocabulary, special);
  const addsPrefixSpace = request.config['add_prefix_space'] === true;
  const json = byteLevelJson(vocabulary, merges, addTokens(vocabulary, added), addsPrefixSpace);
  const casing = decideCasing({
    source: file,
    inFiles: false,
    settingSource: 'byte-level BPE',
    requested: request.doLowerCase,
  });
  return { json, className, special, casing, notes, files: { vocab: file, ...files } };
}

function fromWordPiece(request: Request, file: string, text: string): Source {
  const className = 'BertTokenizer';
  const { config } = request;
  const vocabulary = parseVocabularyText(file, text);
  const { added, special } = vocabularyTokens(vocabulary, request, classDefaults(request.className, className));
  const casing = decideCasing({
    source: file,
    inFiles: configuredLowerCase(config),
    settingSource: 'tokenizer_config.json',
    requested: request.doLowerCase,
    name: request.name,
    vocabulary: vocabulary.keys(),
    specialTokens: [...Object.values<string>(special), ...Object.values<string>(request.specialTokens ?? {})],
  });
  const json = wordPieceJson(
    vocabulary,
    { added: addTokens(vocabulary, added), special },
    {
      lowercase: casing.lowercase,
      stripAccents: booleanOf(config['strip_accents']) ?? null,
      splitIdeographs: config['tokenize_chinese_chars'] !== false,
    },
  );
  return { json, className, special, casing, notes: [], files: { vocab: file } };
}

async function fromSentencePiece(request: Request, file: string): Promise<Source> {
  const { config, tokens } = request;
  const byName = Object.entries(sentencePieceNames).find(([name]) => basename(file).endsWith(name))?.[1];
  const className = request.className ?? byName ?? 'XLMRobertaTokenizer';
  const defaults = tokenizerClass(className);
  if (defaults === undefined || !hasConversion(className)) {
    throw new TokenizerError(`${file}: a SentencePiece model of the class ${className} is not supported`, {
      hint: `put the model's tokenizer.json next to it; ${supported}`,
    });
  }
  const specialTokens = specialTokensOf(tokens, defaults);
  const special = contentsOf(specialTokens, defaults.edges);
  const inFiles = configuredLowerCase(config);
  const lowercase =
    inFiles ?? (defaults.lowercase === undefined ? undefined : (request.doLowerCase ?? defaults.lowercase));
  const json = sentencePieceJson(
    className,
    parseSentencePieceModel(await readBytes(file), file),
    {
      special,
      lowercase: lowercase ?? false,
      keepsAccents: config['keep_accents'] === true,
      splitsPunctuation: config['split_by_punct'] === true,
      addsPrefixSpace: config['add_prefix_space'] !== false,
      tokensToAdd: (ownTokens) => tokensToAdd(tokens, specialTokens, tokens.extra ?? ownTokens),
    },
    file,
  );
  requireTokenizerJson(json, file);
  const casing = decideCasing({
    source: file,
    inFiles: inFiles ?? lowercases(json.normalizer),
    settingSource: inFiles === undefined ? `the model and its class, ${className}` : 'tokenizer_config.json',
    requested: request.doLowerCase,
  });
  return { json, className, special, casing, notes: [], files: { vocab: file } };
}

async function fromTokenizerJson(request: Request, file: string): Promise<Source> {
  const { config, tokens } = request;
  const written = await readJson(file);
  const json = tokenizerJsonOf(file, written);
  addNamedTokens(json, tokens);
  const special = tokens.names;
  const normalizer = json.normalizer;
  const bert = normalizer?.type === 'BertNormalizer' ? normalizer : undefined;
  // As in Hugging Face's fast BERT tokenizers, tokenizer_config.json overrides tokenizer.json.
  const configured = bert ? configuredLowerCase(config) : undefined;
  const casing = decideCasing({
    source: file,
    inFiles: configured ?? lowercases(normalizer),
    settingSource: configured === undefined ? 'tokenizer.json' : 'tokenizer_config.json',
    requested: request.doLowerCase,
    vocabulary: bert && json.model.type === 'WordPiece' ? Object.keys(json.model.vocab) : [],
    specialTokens: [
      ...json.added_tokens.map(({ content }) => content),
      ...Object.values<string>({ ...special }),
      ...Object.values<string>(request.specialTokens ?? {}),
    ],
  });
  if (bert) {
    json.normalizer = {
      ...bert,
      lowercase: casing.lowercase,
      strip_accents: booleanOf(config['strip_accents']) ?? booleanOf(bert['strip_accents']) ?? null,
      handle_chinese_chars: booleanOf(config['tokenize_chinese_chars']) ?? bert['handle_chinese_chars'] !== false,
    };
  }
  if (setPrefixSpace(json, config, request.className)) requireTokenizerJson(json, file);
  const files: LoadedTokenizer['files'] = { tokenizerJson: file };
  const vocab = await firstExisting(request.folder, preferredNames(request.className));
  const merges = await existing(request.folder, 'merges.txt');
  if (vocab) files.vocab = vocab;
  if (merges) files.merges = merges;
  const className = { WordPiece: 'BertTokenizer', BPE: 'RobertaTokenizer' }[json.model.type] ?? 'XLMRobertaTokenizer';
  return { json, className, special, casing, notes: [], files, written };
}

/**
 * `add_prefix_space` of tokenizer_config.json overrides tokenizer.json for the classes that have it, as in transformers.
 *
 * @returns whether a step has changed
 */
function setPrefixSpace(json: TokenizerJson, config: JsonObject, className: string | undefined): boolean {
  const { add_prefix_space: adds } = config;
  if (typeof adds !== 'boolean' || className === undefined) return false;
  const changes = {
    ByteLevel: className === 'RobertaTokenizer' ? { add_prefix_space: adds } : undefined,
    Metaspace: hasConversion(className) ? { prepend_scheme: prependScheme(className, adds) } : undefined,
  };
  const steps = [...stepsOf(json.pre_tokenizer)].filter(({ type }) => type === 'ByteLevel' || type === 'Metaspace');
  for (const step of steps) Object.assign(step, changes[step.type as keyof typeof changes]);
  return steps.length > 0;
}

/**
 * Which end of a long text is kept, and on which side a short one is padded. transformers takes both from tokenizer_config.json, or else
 * from tokenizer.json.
 *
 * NeMo cuts and pads at the end in any case.
 *
 * @throws TokenizerError for texts that are cut at their beginning
 */
function sideNotes(config: JsonObject, json: JsonObject, folder: string): string[] {
  const sideOf = (key: string, part: string): unknown => {
    const { direction } = isJsonObject(json[part]) ? json[part] : {};
    return config[key] ?? (typeof direction === 'string' ? direction.toLowerCase() : 'right');
  };
  const truncation = sideOf('truncation_side', 'truncation');
  if (truncation !== 'right') {
    throw new TokenizerError(`${folder}: truncation_side ${JSON.stringify(truncation)} is not supported`, {
      hint: 'long texts are cut at their end; write "truncation_side": "right" into tokenizer_config.json to accept that',
    });
  }
  const padding = sideOf('padding_side', 'padding');
  if (padding === 'right') return [];
  return [`padding_side ${JSON.stringify(padding)} of the tokenizer has no effect: texts are padded at their end`];
}

/** Makes tokens of the vocabulary that the other files name added tokens, which a text may contain. */
function addNamedTokens(json: TokenizerJson, { added, named, own, extra, mapped }: ConfiguredTokens): void {
  const listed = [...added, ...Object.values(named), ...own, ...(extra ?? mapped)];
  const known = new Set(json.added_tokens.map(({ content }) => content));
  const vocabulary = new Map<string, number>();
  for (const { content } of listed) {
    const id = known.has(content) ? undefined : idOf(json, content);
    if (id !== undefined) vocabulary.set(content, id);
  }
  const inVocabulary = listed.filter(({ content }) => vocabulary.has(content));
  json.added_tokens = json.added_tokens.concat(addTokens(vocabulary, inVocabulary));
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
