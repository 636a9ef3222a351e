import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decideCasing, type Casing } from './casing.js';
import { TokenizerError } from './errors.js';
import { byteLevelJson, wordPieceJson, type SpecialTokenNames } from './pipeline-json.js';
import { mergesFromVocabulary, parseMerges, type Merge } from './merges.js';
import type {
  AddedToken,
  PipelineStep,
  TokenizerDefinition,
  TokenizerJson,
  TokenizerMode,
} from './tokenizer-definition.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';

export interface TokenizerOptions {
  /** A folder in Hugging Face's layout: tokenizer.json, or vocab.txt, or vocab.json with merges.txt; tokenizer_config.json. */
  folder?: string | undefined;

  /** vocab.txt (WordPiece) or vocab.json (byte-level BPE); goes before the folder's files. */
  vocabFile?: string | undefined;

  /** merges.txt of a vocab.json; without it the merges are rebuilt from the vocabulary where that is possible. */
  mergesFile?: string;

  /** A tokenizer.json; goes before the folder's files. */
  tokenizerJson?: string;

  /** NeMo's `tokenizer_model`: refused by name. */
  tokenizerModel?: string;

  /** The configured tokenizer's or model's name; tells casing where no file does. */
  name?: string;

  /** `model_type` of the encoder's config.json, for the tokenizer's class name where no file tells it. */
  modelType?: string;

  /** Decides where the tokenizer's files don't. */
  doLowerCase?: boolean | undefined;

  /** NeMo's `special_tokens`: `{ pad_token: '[PAD]', … }`; each must be in the vocabulary. */
  specialTokens?: Record<string, string> | null | undefined;

  /** Default standard. */
  mode?: TokenizerMode;
}

export interface LoadedTokenizer extends Tokenizer {
  /** The files that it was made from. */
  readonly files: { vocab?: string; merges?: string; tokenizerJson?: string };

  /** What was decided, and by what. */
  readonly notes: string[];

  /** Where an option and the tokenizer disagree, and which won. */
  readonly warnings: string[];
}

/** Kinds of NeMo tokenizers that text classification's encoders don't use. */
const refusedKinds = ['sentencepiece', 'word', 'char', 'regex', 'yttm'];

const works =
  'what works: vocab.txt (BERT, DistilBERT, Megatron-BERT), vocab.json with merges.txt (RoBERTa), tokenizer.json (those, CamemBERT, XLM-R)';

const classNames: Record<string, string> = {
  bert: 'BertTokenizer',
  'megatron-bert': 'BertTokenizer',
  distilbert: 'DistilBertTokenizer',
  roberta: 'RobertaTokenizer',
  camembert: 'CamembertTokenizer',
  'xlm-roberta': 'XLMRobertaTokenizer',
};

const specialKeys = [
  'cls_token',
  'sep_token',
  'pad_token',
  'unk_token',
  'mask_token',
  'bos_token',
  'eos_token',
] as const;
type SpecialKey = (typeof specialKeys)[number];

/**
 * Loads a tokenizer from Hugging Face's files. Explicit files go before the folder's, `tokenizer.json` before vocabularies.
 *
 * @throws TokenizerError for a missing or broken file, a kind that isn't supported, or a special token that isn't in the vocabulary.
 *
 * @example
 * const tokenizer = await loadTokenizer({ folder: 'models/bert-base-uncased', mode: 'nemo' });
 * tokenizer.encode('a fine film', 256); // [101, 1037, 2986, 2143, 102]
 */
export async function loadTokenizer(options: TokenizerOptions): Promise<LoadedTokenizer> {
  refuseKinds(options);
  const config = (await readFolderJson(options.folder, 'tokenizer_config.json')) ?? {};
  const source = await readSource(options, config);
  const { json, casing } = source;
  const special = requireInVocabulary(
    options,
    { ...source.special, ...readSpecialTokens(options.specialTokens) },
    json,
  );
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

function refuseKinds({ name, tokenizerModel }: TokenizerOptions): void {
  const kind = refusedKinds.find((refused) => refused === name?.toLowerCase());
  if (kind) throw new TokenizerError(`the tokenizer "${kind}" is not supported`, { hint: works });
  if (tokenizerModel) {
    throw new TokenizerError(`tokenizer_model (${tokenizerModel}): sentencepiece model files are not supported`, {
      hint: works,
    });
  }
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
      hint: `put the model's tokenizer.json beside it; ${works}`,
    });
  }
  if (!folder) throw new TokenizerError('no tokenizer was given: neither a folder nor a file', { hint: works });
  throw new TokenizerError(`${folder} holds no tokenizer: none of tokenizer.json, vocab.txt, vocab.json is there`, {
    hint: 'set model.tokenizer.vocab_file, or name a folder in the layout of the Hugging Face hub',
  });
}

async function fromVocabulary(options: TokenizerOptions, config: JsonObject, vocabFile: string): Promise<Source> {
  const text = await readText(vocabFile);
  const named = await configuredSpecialTokens(options, config);
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
      tokenizerSays: false,
      saidBy: 'byte-level BPE',
      asked: options.doLowerCase,
    });
    return { json, special, casing, notes, files: { vocab: vocabFile, ...files } };
  }
  const vocabulary = parseVocabularyText(text);
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
    tokenizerSays: booleanOf(config.do_lower_case),
    saidBy: 'tokenizer_config.json',
    asked: options.doLowerCase,
    name: options.name,
    vocabulary: vocabulary.keys(),
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
  const special = await configuredSpecialTokens(options, config);
  const normalizer = json.normalizer;
  const bert = normalizer?.type === 'BertNormalizer' ? normalizer : undefined;
  // As Hugging Face's fast BERT tokenizers: what tokenizer_config.json says is put over what tokenizer.json says.
  const configured = bert ? booleanOf(config.do_lower_case) : undefined;
  const casing = decideCasing({
    source: file,
    tokenizerSays: configured ?? (bert ? bert.lowercase === true : hasStep(normalizer, 'Lowercase')),
    saidBy: configured === undefined ? 'tokenizer.json' : 'tokenizer_config.json',
    asked: options.doLowerCase,
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
  const note = `no merges.txt was given: ${merges.length} merges were rebuilt from the order of ids in ${vocabFile}`;
  return { merges, notes: [note], files: {} };
}

/** Special tokens by our short names, from tokenizer_config.json or special_tokens_map.json. */
async function configuredSpecialTokens(options: TokenizerOptions, config: JsonObject): Promise<SpecialTokenNames> {
  const map = (await readFolderJson(options.folder, 'special_tokens_map.json')) ?? {};
  const named: Record<string, string> = {};
  for (const key of specialKeys) {
    const content = contentOf(config[key]) ?? contentOf(map[key]);
    if (content !== undefined) named[key] = content;
  }
  return readSpecialTokens(named);
}

/** A token is written as a string, or as an object with its content. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  return isJsonObject(token) && typeof token.content === 'string' ? token.content : undefined;
}

function readSpecialTokens(tokens: Record<string, string> | null | undefined): SpecialTokenNames {
  const byKey = new Map<SpecialKey, string>();
  for (const [key, content] of Object.entries(tokens ?? {})) {
    const known = specialKeys.find((special) => special === key);
    if (!known) {
      throw new TokenizerError(`special_tokens.${key} is not a special token`, {
        hint: `the keys are ${specialKeys.join(', ')}`,
      });
    }
    byKey.set(known, content);
  }
  const names: SpecialTokenNames = {};
  const cls = byKey.get('cls_token') ?? byKey.get('bos_token');
  const sep = byKey.get('sep_token') ?? byKey.get('eos_token');
  if (cls !== undefined) names.cls = cls;
  if (sep !== undefined) names.sep = sep;
  for (const key of ['pad', 'unk', 'mask'] as const) {
    const content = byKey.get(`${key}_token`);
    if (content !== undefined) names[key] = content;
  }
  return names;
}

/** Special tokens that were asked for become added tokens; the encoder has no row for one that isn't in the vocabulary. */
function requireInVocabulary(
  options: TokenizerOptions,
  special: SpecialTokenNames,
  json: TokenizerJson,
): SpecialTokenNames {
  for (const content of Object.values(readSpecialTokens(options.specialTokens))) {
    const id = idOf(json, content);
    if (id === undefined) {
      throw new TokenizerError(`special_tokens: ${JSON.stringify(content)} is not in the vocabulary`, {
        hint: 'the encoder has no embedding for a new token; name tokens that its vocabulary holds',
      });
    }
    if (json.added_tokens.every((token) => token.content !== content))
      json.added_tokens.push(specialToken(content, id));
  }
  return special;
}

function specialToken(content: string, id: number): AddedToken {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** The ids around each text, and of padding and the unknown. */
function edgesOf(
  json: TokenizerJson,
  special: SpecialTokenNames,
  asked: Record<string, string>,
): Pick<TokenizerDefinition, 'prefixIds' | 'suffixIds' | 'padId' | 'unknownId'> {
  const template = edgeTokens(json.post_processor);
  const askedNames = readSpecialTokens(asked);
  const prefix = askedNames.cls !== undefined ? [askedNames.cls] : (template?.prefix ?? [special.cls ?? '[CLS]']);
  const suffix = askedNames.sep !== undefined ? [askedNames.sep] : (template?.suffix ?? [special.sep ?? '[SEP]']);
  if (prefix.length === 0) {
    throw new TokenizerError('the tokenizer puts no token before a text, so there is none to classify by', {
      hint: works,
    });
  }
  const required = (content: string, key: string) => {
    const id = idOf(json, content);
    if (id !== undefined) return id;
    throw new TokenizerError(`${key} ${JSON.stringify(content)} is not in the vocabulary`, {
      hint: `set model.tokenizer.special_tokens.${key} to the vocabulary's own`,
    });
  };
  const firstKnown = (...contents: (string | undefined)[]) =>
    contents.find((content) => content !== undefined && idOf(json, content) !== undefined) ?? contents.at(-1) ?? '';
  return {
    prefixIds: prefix.map((content) => required(content, 'cls_token')),
    suffixIds: suffix.map((content) => required(content, 'sep_token')),
    padId: required(firstKnown(special.pad, '<pad>', '[PAD]'), 'pad_token'),
    unknownId: required(firstKnown(special.unk, '<unk>', '[UNK]'), 'unk_token'),
  };
}

/** What a post-processor puts before and after one text. */
function edgeTokens(step: PipelineStep | null): { prefix: string[]; suffix: string[] } | undefined {
  if (step?.type === 'Sequence' && Array.isArray(step.processors)) {
    return (step.processors as PipelineStep[]).map(edgeTokens).find((edges) => edges !== undefined);
  }
  if (step?.type === 'BertProcessing' || step?.type === 'RobertaProcessing') {
    const [cls, sep] = [step.cls, step.sep] as [string, number][];
    return cls && sep ? { prefix: [cls[0]], suffix: [sep[0]] } : undefined;
  }
  if (step?.type !== 'TemplateProcessing' || !Array.isArray(step.single)) return undefined;
  const items = step.single as { SpecialToken?: { id: string }; Sequence?: object }[];
  const at = items.findIndex(({ Sequence }) => Sequence !== undefined);
  const ids = (part: typeof items) => part.flatMap(({ SpecialToken }) => (SpecialToken ? [SpecialToken.id] : []));
  return { prefix: ids(items.slice(0, at)), suffix: ids(items.slice(at + 1)) };
}

function idOf(json: TokenizerJson, content: string): number | undefined {
  const added = json.added_tokens.find((token) => token.content === content);
  if (added) return added.id;
  const { vocab } = json.model;
  if (!Array.isArray(vocab)) return Object.hasOwn(vocab, content) ? vocab[content] : undefined;
  const index = vocab.findIndex(([token]) => token === content);
  return index < 0 ? undefined : index;
}

async function className(options: TokenizerOptions, config: JsonObject, json: TokenizerJson): Promise<string> {
  const said = typeof config.tokenizer_class === 'string' ? config.tokenizer_class.replace(/Fast$/, '') : undefined;
  if (said && said !== 'PreTrainedTokenizer' && said !== 'TokenizersBackend') return said;
  const modelType = options.modelType ?? (await readFolderJson(options.folder, 'config.json'))?.model_type;
  const byModel = typeof modelType === 'string' ? classNames[modelType] : undefined;
  return byModel ?? { WordPiece: 'BertTokenizer', BPE: 'RobertaTokenizer' }[json.model.type] ?? 'XLMRobertaTokenizer';
}

function hasStep(step: PipelineStep | null, type: string): boolean {
  if (step === null) return false;
  return (
    step.type === type ||
    (Array.isArray(step.normalizers) && (step.normalizers as PipelineStep[]).some((inner) => hasStep(inner, type)))
  );
}

function tokenizerJsonOf(file: string, json: JsonObject): TokenizerJson {
  const { model } = json;
  if (!isJsonObject(model) || typeof model.vocab !== 'object' || model.vocab === null) {
    throw new TokenizerError(`${file} is not a tokenizer.json: it has no model.vocab`, { hint: works });
  }
  const type =
    typeof model.type === 'string'
      ? model.type
      : Array.isArray(model.vocab)
        ? 'Unigram'
        : 'merges' in model
          ? 'BPE'
          : 'WordPiece';
  if (!['WordPiece', 'BPE', 'Unigram'].includes(type)) {
    throw new TokenizerError(`${file}: a tokenizer of type ${type} is not supported`, { hint: works });
  }
  return {
    added_tokens: (Array.isArray(json.added_tokens) ? json.added_tokens : []) as (AddedToken & JsonObject)[],
    normalizer: (json.normalizer ?? null) as PipelineStep | null,
    pre_tokenizer: (json.pre_tokenizer ?? null) as PipelineStep | null,
    post_processor: (json.post_processor ?? null) as PipelineStep | null,
    decoder: (json.decoder ?? null) as PipelineStep | null,
    model: { ...model, type } as TokenizerJson['model'],
  };
}

function parseVocabularyText(text: string): Map<string, number> {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  return new Map(lines.map((token, id) => [token, id]));
}

function parseVocabularyJson(file: string, text: string): Map<string, number> {
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(parseJson(file, text))) {
    if (!Number.isInteger(id))
      throw new TokenizerError(`${file}: the id of ${JSON.stringify(token)} is not a whole number`);
    vocabulary.set(token, Number(id));
  }
  return vocabulary;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new TokenizerError(`${file} can't be read`, { hint: 'check the path', cause: error });
  }
}

async function readJson(file: string): Promise<JsonObject> {
  return parseJson(file, await readText(file));
}

function parseJson(file: string, text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (error) {
    throw new TokenizerError(`${file} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  throw new TokenizerError(`${file} is not a JSON object`);
}

async function readFolderJson(folder: string | undefined, name: string): Promise<JsonObject | undefined> {
  const file = await existing(folder, name);
  return file === undefined ? undefined : readJson(file);
}

async function existing(folder: string | undefined, name: string): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  const file = join(folder, name);
  return (await stat(file).catch(() => undefined))?.isFile() ? file : undefined;
}

function booleanOf(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
