import { expect, test } from '@jest/globals';
import type { JsonObject, JsonValue } from '@nautil/contracts';
import { TokenizerError } from './errors.js';
import { unigramJson } from './testing/unigram-json.js';
import { parseVocabularyJson, tokenizerJsonOf } from './tokenizer-files.js';

const sound = unigramJson([['▁a', -1]]);
const check = (changes: JsonObject) => tokenizerJsonOf('tokenizer.json', { ...sound, ...changes });

const replace = (pattern: JsonObject, content: string): JsonObject => ({ type: 'Replace', pattern, content });
const double = replace({ String: 'a' }, 'aa');
const prepend = (length: number): JsonObject => ({ type: 'Prepend', prepend: 'a'.repeat(length) });
const sequence = (...normalizers: JsonValue[]): JsonObject => ({ type: 'Sequence', normalizers });
const times = (count: number, step: JsonObject): JsonObject => sequence(...Array.from({ length: count }, () => step));
const wordPiece = (vocab: JsonObject): JsonObject => ({
  type: 'WordPiece',
  unk_token: '[UNK]',
  continuing_subword_prefix: '##',
  vocab,
});

test('a sound tokenizer.json is accepted as it is', () => {
  expect(check({})).toEqual(sound);
});

test.each<[string, JsonObject, RegExp]>([
  ['a long replacement', replace({ String: 'a' }, 'a'.repeat(100)), /100 times as long/],
  ['many replacements', times(7, double), /128 times as long/],
  ['a replacement of the empty text', replace({ Regex: '' }, 'a'.repeat(64)), /65 times as long/],
  [
    'a replacement with steps, which it ignores',
    { ...times(0, double), ...replace({ String: 'a' }, 'a'.repeat(100)) },
    /100/,
  ],
  ['a long beginning', prepend(100), /101 times as long/],
  ['a replacement before a beginning', sequence(times(3, double), prepend(8)), /72 times as long/],
])('steps that can make a text too long are rejected: %s', (_, normalizer, problem) => {
  expect(() => check({ normalizer })).toThrow(TokenizerError);
  expect(() => check({ normalizer })).toThrow(problem);
});

test.each<[string, JsonObject, RegExp]>([
  ['an unknown step', { normalizer: sequence({ type: 'x' }) }, /normalizer/],
  ['a step that is a number', { normalizer: sequence(1) }, /normalizer/],
  ['too many steps', { normalizer: times(40, { type: 'NFC' }) }, /normalizer has more than 32 steps/],
  ['too many steps in all', { normalizer: times(6, times(6, { type: 'NFC' })) }, /normalizer has more than 32 steps/],
  ['two patterns in one step', { normalizer: replace({ String: 'a'.repeat(100), Regex: '' }, 'aa') }, /normalizer/],
  ['an id that is too large', { model: wordPiece({ '[UNK]': 4e9 }) }, /vocab/],
  ['an id that is a text', { model: wordPiece({ '[UNK]': 'x' }) }, /vocab/],
  [
    'a token that is too long',
    { model: wordPiece({ '[UNK]': 0, ['a'.repeat(1001)]: 1 }) },
    /token has 1001 characters/,
  ],
  ['no unknown token', { model: wordPiece({ a: 0 }) }, /unk_token "\[UNK\]" is not in the vocabulary/],
  [
    'added tokens of millions of characters',
    {
      added_tokens: Array.from({ length: 1001 }, (_, id) => ({
        id: id + 9,
        content: `${'a'.repeat(996)}${id + 1000}`,
      })),
    },
    /the added tokens have 1001000 characters, more than 1000000/,
  ],
  ['an unknown id', { model: { type: 'Unigram', unk_id: 9, vocab: [['a', 0]] } }, /unk_id is 9/],
])('a tokenizer.json with %s is rejected', (_, changes, problem) => {
  expect(() => check(changes)).toThrow(TokenizerError);
  expect(() => check(changes)).toThrow(problem);
});

test.each<[string, JsonObject]>([
  ['of a vocabulary', { model: wordPiece({ '[UNK]': 0, a: 1, b: 1 }) }],
  [
    'of an added token and a token',
    { model: wordPiece({ '[UNK]': 0, a: 1 }), added_tokens: [{ id: 1, content: 'b' }] },
  ],
  [
    'of two added tokens',
    {
      model: wordPiece({ '[UNK]': 0 }),
      added_tokens: [
        { id: 1, content: 'a' },
        { id: 1, content: 'b' },
      ],
    },
  ],
  ['of an added token and a scored token', { ...unigramJson([['▁a', -1]]), added_tokens: [{ id: 0, content: 'b' }] }],
])('two tokens with one id are rejected with both tokens and the id: %s', (_, changes) => {
  expect(() => check(changes)).toThrow(/tokenizer\.json: the tokens ".+" and "b" have the same id, [01]$/);
});

test.each<[string, JsonObject]>([
  ['StripAccents', { type: 'StripAccents' }],
  ['Replace', replace({ String: "''" }, '"')],
  ['Strip', { type: 'Strip', strip_left: true, strip_right: true }],
])('prepend_scheme "first" is rejected after a normalizer that may move the beginning of a text: %s', (type, step) => {
  const pre_tokenizer: JsonObject = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' };
  expect(() => check({ normalizer: sequence({ type: 'NFC' }, step), pre_tokenizer })).toThrow(
    `pre_tokenizer, after the normalizer ${type}: prepend_scheme "first" is not supported`,
  );
  const still = sequence({ type: 'Lowercase' }, replace({ Regex: ' {2,}' }, ' '), { type: 'Strip', strip_right: true });
  expect(check({ normalizer: still, pre_tokenizer })).toMatchObject({ pre_tokenizer });
});

test('an added token may repeat a token of the vocabulary, with its id', () => {
  const added_tokens = [{ id: 1, content: 'a' }];
  expect(check({ model: wordPiece({ '[UNK]': 0, a: 1 }), added_tokens }).added_tokens).toEqual(added_tokens);
});

test('two tokens with one id in a vocab.json are rejected with both tokens and the id', () => {
  expect(() => parseVocabularyJson('vocab.json', '{"a": 3, "b": 3}')).toThrow(
    'vocab.json: the tokens "a" and "b" have the same id, 3',
  );
});
