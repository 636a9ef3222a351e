import { isJsonObject, type JsonObject } from '@nautil/contracts';
import type { NewToken } from './add-tokens.js';
import { TokenizerError } from './errors.js';
import type { SpecialTokenNames } from './pipeline-json.js';
import { supported } from './supported.js';
import type { TokenizerClass } from './tokenizer-classes.js';
import type { AddedToken, PipelineStep, TokenizerDefinition, TokenizerJson } from './tokenizer-definition.js';
import { readFolderJson } from './tokenizer-files.js';

/** In the order in which transformers adds them (`SPECIAL_TOKENS_ATTRIBUTES`). */
const specialKeys = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;
type SpecialKey = (typeof specialKeys)[number];

/** The tokens that the files beside a vocabulary name. */
export interface ConfiguredTokens {
  /** Special tokens by key, with the options that a file gives them. */
  readonly named: Readonly<Partial<Record<SpecialKey, NewToken>>>;

  /** Special tokens by role, as far as a file names them. */
  readonly names: SpecialTokenNames;

  /** Tokens to add, in the order in which transformers adds them: those of `added_tokens_decoder`, or of added_tokens.json. */
  readonly added: readonly NewToken[];

  /** Special tokens with roles of the model's own, such as `image_token`. */
  readonly own: readonly NewToken[];

  /** Tokens without a role. They replace those that the model of a SentencePiece tokenizer has; undefined if no file lists any. */
  readonly extra: readonly NewToken[] | undefined;

  /** `additional_special_tokens` of special_tokens_map.json. They count only where `extra` and a SentencePiece model are missing. */
  readonly mapped: readonly NewToken[];
}

/**
 * Reads tokenizer_config.json, special_tokens_map.json and added_tokens.json as transformers does: `added_tokens_decoder` replaces
 * the other two files; otherwise, special_tokens_map.json takes precedence over tokenizer_config.json.
 *
 * @throws TokenizerError
 */
export async function configuredTokens(folder: string | undefined, config: JsonObject): Promise<ConfiguredTokens> {
  const decoder = isJsonObject(config['added_tokens_decoder']) ? config['added_tokens_decoder'] : undefined;
  const map = decoder === undefined ? ((await readFolderJson(folder, 'special_tokens_map.json')) ?? {}) : {};
  const legacy = decoder === undefined ? ((await readFolderJson(folder, 'added_tokens.json')) ?? {}) : {};
  const named: Partial<Record<SpecialKey, NewToken>> = {};
  for (const key of specialKeys) {
    const token = newToken(map[key]) ?? newToken(config[key]);
    if (token !== undefined) named[key] = { ...token, special: true };
  }
  const { extra, own } = extraTokens(config, map);
  const special = new Set([...Object.values(named), ...(extra ?? [])].map(({ content }) => content));
  const added = [
    ...byNumber(Object.entries(decoder ?? {}), ([id]) => Number(id)).flatMap(([, token]) => newToken(token) ?? []),
    ...byNumber(Object.entries(legacy), ([, id]) => Number(id)).map(([content]): NewToken => ({
      content,
      special: special.has(content),
    })),
  ];
  const contents = Object.entries(named).map(([key, { content }]): [string, string] => [key, content]);
  const mapped = listedTokens(map['additional_special_tokens']) ?? [];
  return { named, names: readSpecialTokens(Object.fromEntries(contents)), added, own, extra, mapped };
}

/**
 * `extra_special_tokens`, or `additional_special_tokens`, its name before transformers 5, of both files. A list has tokens without a
 * role; an object has tokens by roles of the model's own, as other keys that end in `_token` have.
 */
function extraTokens(config: JsonObject, map: JsonObject): Pick<ConfiguredTokens, 'extra' | 'own'> {
  const [older, newer] = [config['additional_special_tokens'], config['extra_special_tokens']];
  const stated = older === undefined || !isEmpty(newer) ? newer : older;
  const mapped = map['extra_special_tokens'];
  const own = [map, config].flatMap((file) =>
    Object.entries(file).flatMap(([key, token]) => (isOwnRole(key) ? (newToken(token) ?? []) : [])),
  );
  const objects = [stated, mapped].filter((value) => isJsonObject(value));
  const roles = objects.flatMap((object) => Object.values<unknown>(object).flatMap((token) => newToken(token) ?? []));
  const lists = isJsonObject(mapped) ? [] : [listedTokens(stated), listedTokens(mapped)?.map(asSpecial)];
  const extra = lists.every((list) => list === undefined) ? undefined : lists.flatMap((list) => list ?? []);
  return { extra, own: [...own, ...roles].map(asSpecial) };
}

const asSpecial = (token: NewToken): NewToken => ({ ...token, special: true });

/** A key like `image_token`. Keys like `add_bos_token` have no token as their value. */
const isOwnRole = (key: string): boolean => key.endsWith('_token') && !specialKeys.some((known) => known === key);

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);

/** The tokens of a list. null is an empty list, unlike a missing one. A token that is a string is special. */
function listedTokens(list: unknown): NewToken[] | undefined {
  if (list === null) return [];
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((item: unknown) => {
    const token = newToken(item);
    return token === undefined ? [] : { ...token, special: typeof item === 'string' || token.special === true };
  });
}

/** All special tokens of a class, by key: those that the files name, and the class's own. */
export type SpecialTokenSet = Readonly<Record<SpecialKey, NewToken>>;

/** The tokens of all keys. `bos_token` is the class's `cls` where no file names one, and `eos_token` its `sep`. */
export function specialTokensOf({ named }: ConfiguredTokens, defaults: TokenizerClass): SpecialTokenSet {
  const { cls, sep, unk, pad, mask } = defaults.special;
  const token = (key: SpecialKey, content: string): NewToken => named[key] ?? { content, special: true };
  const stated = named.mask_token;
  const hasOptions = stated !== undefined && Object.keys(stated).length > 2;
  return {
    bos_token: token('bos_token', cls),
    eos_token: token('eos_token', sep),
    unk_token: token('unk_token', unk),
    sep_token: token('sep_token', sep),
    pad_token: token('pad_token', pad),
    cls_token: token('cls_token', cls),
    mask_token: hasOptions ? stated : { ...token('mask_token', mask), lstrip: defaults.maskStripsLeft },
  };
}

/** The contents of a set by role. */
export function contentsOf(tokens: SpecialTokenSet, edges: TokenizerClass['edges']): Required<SpecialTokenNames> {
  const [cls, sep] =
    edges === 'bos and eos' ? (['bos_token', 'eos_token'] as const) : (['cls_token', 'sep_token'] as const);
  return {
    cls: tokens[cls].content,
    sep: tokens[sep].content,
    pad: tokens.pad_token.content,
    unk: tokens.unk_token.content,
    mask: tokens.mask_token.content,
  };
}

/**
 * Everything to add to a vocabulary, in the order in which transformers adds it. The options of `added` take precedence over those of
 * `extra`, and these over those of the special tokens. A token that has a role is special.
 */
export function tokensToAdd(
  tokens: ConfiguredTokens,
  special: SpecialTokenSet,
  extra: readonly NewToken[],
): NewToken[] {
  const named = [...specialKeys.map((key) => special[key]), ...tokens.own];
  const roles = new Set(named.map(({ content }) => content));
  const extraByContent = new Map(extra.map((token) => [token.content, token]));
  // A token that becomes special keeps that it is looked for after normalizing.
  const withRole = (token: NewToken): NewToken => {
    const normalized = token.normalized ?? token.special !== true;
    return { ...token, normalized, special: token.special === true || roles.has(token.content) };
  };
  return [...tokens.added, ...named.map((token) => extraByContent.get(token.content) ?? token), ...extra].map(withRole);
}

const byNumber = <T>(entries: T[], numberOf: (entry: T) => number): T[] =>
  [...entries].sort((a, b) => numberOf(a) - numberOf(b));

/** A token is a string, or an object with its content and options. */
function newToken(token: unknown): NewToken | undefined {
  if (typeof token === 'string') return { content: token };
  if (!isJsonObject(token) || typeof token['content'] !== 'string') return undefined;
  const options = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const;
  const stated = options.filter((option) => typeof token[option] === 'boolean');
  return { content: token['content'], ...Object.fromEntries(stated.map((option) => [option, token[option]])) };
}

/** Names of special tokens by role, from the keys of tokenizer_config.json or `special_tokens`. @throws TokenizerError */
export function readSpecialTokens(tokens: Record<string, string> | null | undefined): SpecialTokenNames {
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

/**
 * Makes the requested special tokens added tokens. They must be in the vocabulary, because the encoder has no embedding for a
 * new token.
 */
export function requireInVocabulary(requested: Record<string, string> | null | undefined, json: TokenizerJson): void {
  for (const content of Object.values<string>({ ...readSpecialTokens(requested) })) {
    const id = idOf(json, content);
    if (id === undefined) {
      throw new TokenizerError(`special_tokens: ${JSON.stringify(content)} is not in the vocabulary`, {
        hint: 'the encoder has no embedding for a new token; choose tokens from its vocabulary',
      });
    }
    if (json.added_tokens.every((token) => token.content !== content))
      json.added_tokens.push(specialToken(content, id));
  }
}

function specialToken(content: string, id: number): AddedToken {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** The ids before and after each text, of padding, and of unknown tokens. */
export function edgesOf(
  json: TokenizerJson,
  special: SpecialTokenNames,
  requested: Record<string, string>,
): Pick<TokenizerDefinition, 'prefixIds' | 'suffixIds' | 'padId' | 'unknownId'> {
  const template = edgeTokens(json.post_processor);
  const requestedNames = readSpecialTokens(requested);
  const prefix =
    requestedNames.cls !== undefined ? [requestedNames.cls] : (template?.prefix ?? [special.cls ?? '[CLS]']);
  const suffix =
    requestedNames.sep !== undefined ? [requestedNames.sep] : (template?.suffix ?? [special.sep ?? '[SEP]']);
  if (prefix.length === 0) {
    throw new TokenizerError('the tokenizer puts no token before a text, but the classifier reads the first token', {
      hint: supported,
    });
  }
  const required = (content: string, key: string) => {
    const id = idOf(json, content);
    if (id !== undefined) return id;
    throw new TokenizerError(`${key} ${JSON.stringify(content)} is not in the vocabulary`, {
      hint: `set model.tokenizer.special_tokens.${key} to a token of the vocabulary`,
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

/** The tokens that a post-processor adds before and after a single text. */
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
  const sequence = items.findIndex(({ Sequence }) => Sequence !== undefined);
  const ids = (part: typeof items) => part.flatMap(({ SpecialToken }) => (SpecialToken ? [SpecialToken.id] : []));
  return { prefix: ids(items.slice(0, sequence)), suffix: ids(items.slice(sequence + 1)) };
}

/** The id of an added token or one of the vocabulary. */
export function idOf(json: TokenizerJson, content: string): number | undefined {
  const added = json.added_tokens.find((token) => token.content === content);
  if (added) return added.id;
  const { vocab } = json.model;
  if (!Array.isArray(vocab)) return Object.hasOwn(vocab, content) ? vocab[content] : undefined;
  const index = vocab.findIndex(([token]) => token === content);
  return index < 0 ? undefined : index;
}
