import { type TSchema, Type } from '@sinclair/typebox';
import { InvalidJson, type JsonValidator, jsonValidator, variants } from '@nautil/contracts/schemas';
import { TokenizerError } from './errors.js';
import { mostIds, mostMerges } from './largest-tokenizer.js';
import { behaviors } from './pre-tokenizers.js';
import { requireDistinctIds } from './require-distinct-ids.js';
import { stepsOf } from './steps-of.js';
import { supported } from './supported.js';
import { growthOf } from './text-growth.js';
import type { PipelineStep, TokenizerDefinition, TokenizerJson } from './tokenizer-definition.js';

/** The longest token of the published vocabularies has 160 characters. Longer ones make the search for tokens quadratic. */
const longestToken = 1000;

const mostAddedTokens = 20_000;

/** Of all added tokens together. The automaton that finds them has a node for each, and takes a second for as many. */
const mostAddedCharacters = 1_000_000;

/** Of one part of the pipeline, with the steps of its sequences. */
const mostSteps = 32;

/** Steps that make a text longer than this factor are no normalization. */
const mostGrowth = 64;

const text = Type.String();
const id = Type.Integer({ minimum: 0, maximum: mostIds - 1 });
const flag = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]));
const optionalText = Type.Optional(Type.Union([text, Type.Null()]));

const exactly = { additionalProperties: false };

/** Hugging Face writes one of the two keys. */
const pattern = Type.Union([Type.Object({ String: text }, exactly), Type.Object({ Regex: text }, exactly)]);
const step = <const T extends string>(type: T, options: Record<string, TSchema> = {}) =>
  Type.Object({ type: Type.Literal(type), ...options });

const optionalBehavior = Type.Optional(Type.Union(behaviors.map((behavior) => Type.Literal(behavior))));

const innerSteps = Type.Array(Type.Object({ type: text }));

const normalizer = variants('type', [
  step('BertNormalizer', { clean_text: flag, handle_chinese_chars: flag, strip_accents: flag, lowercase: flag }),
  step('Precompiled', { precompiled_charsmap: text }),
  step('Sequence', { normalizers: innerSteps }),
  step('Replace', { pattern, content: text }),
  ...['NFC', 'NFD', 'NFKC', 'NFKD', 'StripAccents', 'Lowercase'].map((type) => step(type)),
  step('Strip', { strip_left: flag, strip_right: flag }),
  step('Prepend', { prepend: text }),
]);

const preTokenizer = variants('type', [
  ...['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit'].map((type) => step(type)),
  step('Punctuation', { behavior: optionalBehavior }),
  step('Sequence', { pretokenizers: innerSteps }),
  step('Metaspace', { replacement: optionalText, prepend_scheme: optionalText, split: flag }),
  step('ByteLevel', { add_prefix_space: flag, trim_offsets: flag, use_regex: flag }),
  step('Split', { pattern, behavior: optionalBehavior, invert: flag }),
  step('Digits', { individual_digits: flag }),
  step('FixedLength', { length: Type.Integer({ minimum: 1 }) }),
]);

const namedId = Type.Tuple([text, id]);
const typeId = Type.Optional(Type.Integer({ minimum: 0, maximum: 1 << 16 }));
const templatePart = Type.Object({
  SpecialToken: Type.Optional(Type.Object({ id: text, type_id: typeId })),
  Sequence: Type.Optional(Type.Object({ id: Type.Optional(text), type_id: typeId })),
});
const postProcessor = variants('type', [
  step('TemplateProcessing', { single: Type.Array(templatePart), pair: Type.Optional(Type.Array(templatePart)) }),
  step('BertProcessing', { sep: namedId, cls: namedId }),
  step('RobertaProcessing', { sep: namedId, cls: namedId }),
  step('ByteLevel'),
  step('Sequence', { processors: innerSteps }),
]);

// Type.Record would skip keys that contain a line break.
const idsByToken = Type.Unsafe<Record<string, number>>({ type: 'object', additionalProperties: id });
const model = variants('type', [
  step('WordPiece', {
    vocab: idsByToken,
    unk_token: text,
    continuing_subword_prefix: text,
    max_input_chars_per_word: Type.Optional(Type.Integer({ minimum: 1, maximum: longestToken })),
  }),
  step('BPE', {
    vocab: idsByToken,
    merges: Type.Array(Type.Union([text, Type.Tuple([text, text])])),
    unk_token: optionalText,
    end_of_word_suffix: optionalText,
    continuing_subword_prefix: optionalText,
    fuse_unk: flag,
    byte_fallback: flag,
    ignore_merges: flag,
  }),
  step('Unigram', {
    byte_fallback: flag,
    vocab: Type.Array(Type.Tuple([text, Type.Number()]), { minItems: 1, maxItems: mostIds }),
    unk_id: id,
  }),
]);

const addedToken = Type.Object({
  id,
  content: text,
  single_word: flag,
  lstrip: flag,
  rstrip: flag,
  normalized: flag,
  special: flag,
});

const nullable = (schema: TSchema) => Type.Union([Type.Null(), schema]);

const validateParts = jsonValidator(
  Type.Object({ added_tokens: Type.Array(addedToken, { maxItems: mostAddedTokens }), model }),
);
const validators: Readonly<Record<'normalizer' | 'pre_tokenizer' | 'post_processor', JsonValidator<unknown>>> = {
  normalizer: jsonValidator(normalizer),
  pre_tokenizer: jsonValidator(preTokenizer),
  post_processor: jsonValidator(postProcessor),
};

const validateEdges = jsonValidator(
  Type.Object({
    name: text,
    mode: Type.Union([Type.Literal('standard'), Type.Literal('nemo')]),
    json: Type.Object({
      normalizer: nullable(Type.Object({})),
      pre_tokenizer: nullable(Type.Object({})),
      post_processor: nullable(Type.Object({})),
      decoder: nullable(Type.Object({})),
    }),
    prefixIds: Type.Array(id, { minItems: 1, maxItems: 16 }),
    suffixIds: Type.Array(id, { maxItems: 16 }),
    padId: id,
    unknownId: id,
  }),
);

/**
 * Checks everything of a tokenizer.json that the pipeline relies on, and what its steps cost.
 *
 * @param source - the file, for messages
 * @throws TokenizerError
 */
export function requireTokenizerJson(json: TokenizerJson, source: string): void {
  requireFew(json.model, source);
  validated(() => {
    validateParts(json, source);
    for (const [part, validate] of Object.entries(validators)) {
      let count = 0;
      for (const each of stepsOf(json[part as keyof typeof validators])) {
        validate(each, `${source}: ${part}`);
        if (++count > mostSteps)
          throw new TokenizerError(`${source}: ${part} has more than ${mostSteps} steps`, { hint });
      }
    }
  });
  const { vocab } = json.model;
  const tokens = Array.isArray(vocab) ? vocab.map(([token]) => token) : Object.keys(vocab);
  for (const token of [...tokens, ...json.added_tokens.map(({ content }) => content)]) {
    if (token.length > longestToken)
      throw new TokenizerError(`${source}: a token has ${token.length} characters, more than ${longestToken}`, {
        hint,
      });
  }
  const addedCharacters = json.added_tokens.reduce((sum, { content }) => sum + content.length, 0);
  if (addedCharacters > mostAddedCharacters)
    throw new TokenizerError(
      `${source}: the added tokens have ${addedCharacters} characters, more than ${mostAddedCharacters}`,
      { hint },
    );
  requireUnknownToken(json, source);
  const ids = Array.isArray(vocab) ? vocab.map(([token], index) => [token, index] as const) : Object.entries(vocab);
  requireDistinctIds(
    [...ids, ...json.added_tokens.map(({ content, id: number }) => [content, number] as const)],
    source,
  );
  requireSupportedOptions(json, source);
  const growth = textGrowth(json, source);
  if (growth > mostGrowth) {
    throw new TokenizerError(`${source}: its steps can make a text ${growth} times as long`, { hint });
  }
}

/** @throws TokenizerError when a normalizer's character map is damaged */
function textGrowth({ normalizer: first, pre_tokenizer: second }: TokenizerJson, source: string): number {
  try {
    return growthOf(first) * growthOf(second);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TokenizerError(`${source}: normalizer: ${error.message}`, { hint, cause: error });
  }
}

/** Rejects options that change ids, and that the pipeline lacks. */
function requireSupportedOptions(json: TokenizerJson, source: string): void {
  const unsupported = (key: string, value: unknown): never => {
    throw new TokenizerError(`${source}: ${key} ${JSON.stringify(value)} is not supported`, { hint: supported });
  };
  const { type, dropout, continuing_subword_prefix: prefix } = json.model;
  if (type === 'BPE' && typeof prefix === 'string' && prefix !== '') {
    unsupported('model.continuing_subword_prefix', prefix);
  }
  if (typeof dropout === 'number' && dropout !== 0) unsupported('model.dropout', dropout);
  const moving = [...stepsOf(json.normalizer)].find(movesBeginning);
  let isDivided = false;
  for (const each of stepsOf(json.pre_tokenizer)) {
    if (each.type === 'Sequence') continue;
    // Which of the divided words is the first would depend on the characters of the text before it was normalized.
    if (isDivided && each['prepend_scheme'] === 'first')
      unsupported('pre_tokenizer, after another step: prepend_scheme', 'first');
    if (moving !== undefined && each['prepend_scheme'] === 'first')
      unsupported(`pre_tokenizer, after the normalizer ${moving.type}: prepend_scheme`, 'first');
    isDivided = true;
  }
}

/**
 * Whether a normalizer may remove or replace the first character of a text. The Rust library then does not treat what follows as the
 * beginning of the text. A replacement by a space or by Metaspace's own character makes no difference.
 */
function movesBeginning({ type, ...options }: PipelineStep): boolean {
  if (type === 'Replace') return !/^[ ▁]$/.test(String(options['content']));
  if (type === 'Strip') return options['strip_left'] === true;
  return !['Sequence', 'Precompiled', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase'].includes(type);
}

/** Counts before anything else is done with them, because checking a million merges takes seconds. */
function requireFew({ vocab, merges }: { vocab: unknown; merges?: unknown }, source: string): void {
  const counts = { tokens: [vocab, mostIds], merges: [merges, mostMerges] } as const;
  for (const [name, [list, most]] of Object.entries(counts)) {
    const count = typeof list === 'object' && list !== null ? Object.keys(list).length : 0;
    if (count > most) {
      throw new TokenizerError(`${source}: it has ${count} ${name}, and a tokenizer has at most ${most}`, {
        hint: 'check that this is the tokenizer of the model',
      });
    }
  }
}

/** Checks a stored definition. @throws TokenizerError */
export function parseTokenizerDefinition(value: unknown, source: string): TokenizerDefinition {
  const definition = validated(() => validateEdges(value, source)) as unknown as TokenizerDefinition;
  requireTokenizerJson(definition.json, source);
  return definition;
}

const hint = 'the file may be damaged; get it again from the model that it belongs to';

function validated<T>(validate: () => T): T {
  try {
    return validate();
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error;
    throw new TokenizerError(error.message, { hint, cause: error });
  }
}

/** Without it, a word that is not in the vocabulary would have no id. Byte-level BPE has a token for every byte. */
function requireUnknownToken(
  { model: { type, vocab, unk_token: unknown, unk_id: index }, ...json }: TokenizerJson,
  source: string,
): void {
  if (type === 'Unigram' && Array.isArray(vocab) && Number(index) >= vocab.length)
    throw new TokenizerError(`${source}: unk_id is ${String(index)}, and there are ${vocab.length} tokens`, { hint });
  if (typeof unknown !== 'string' || Array.isArray(vocab) || Object.hasOwn(vocab, unknown)) return;
  if (json.added_tokens.some(({ content }) => content === unknown)) return;
  throw new TokenizerError(`${source}: unk_token ${JSON.stringify(unknown)} is not in the vocabulary`, { hint });
}
