import { expect, test } from '@jest/globals';
import { splitWords } from '@nautil/python-format';
import { goldenPath } from '@nautil/testing';
import { TextRefused } from './errors.js';
import { loadTokenizer } from './load-tokenizer.js';
import { createTokenizer } from './tokenizer.js';
import type { TokenizerMode } from './tokenizer-definition.js';
import { TokenizerPool } from './tokenizer-pool.js';

const encoders = ['bert-tiny-uncased', 'roberta-tiny'];
const load = (encoder: string, mode: TokenizerMode) => loadTokenizer({ folder: goldenPath(encoder), mode });

const pieces = [' a', ' fine', '  film', '\n', ' \t ', '\u00a0 ', ' 😀', '.', ' ', '\u0085'];
const longText = Array.from({ length: 80_000 }, (_, i) => pieces[(i * i + (i >> 3)) % pieces.length]).join('');

test.each(encoders)('in standard mode, a long text has the ids that it has as a whole: %s', async (encoder) => {
  const tokenizer = await load(encoder, 'standard');
  const { id = -1, content = '' } = tokenizer.definition.json.added_tokens[0] ?? {};
  const ids = tokenizer.bodyIds(longText, Infinity);
  expect(ids.length).toBeGreaterThan(40_000);
  // A text with a special token is not divided.
  expect(tokenizer.bodyIds(`${longText}${content}`, Infinity)).toEqual([...ids, id]);
  expect(tokenizer.bodyIds(longText, 30_000)).toEqual(ids.slice(0, 30_000));
});

test.each(encoders)('in nemo mode, a long text has the ids of its words: %s', async (encoder) => {
  const tokenizer = await load(encoder, 'nemo');
  const ids = splitWords(longText).flatMap((word) => tokenizer.bodyIds(word, Infinity));
  expect(tokenizer.bodyIds(longText, Infinity)).toEqual(ids);
});

test('of a text that cannot be divided, the beginning is read if that is enough, and otherwise it is refused', async () => {
  const { definition } = await load('roberta-tiny', 'standard');
  const added_tokens = definition.json.added_tokens.map((token) => ({ ...token, rstrip: true }));
  const tokenizer = createTokenizer({ ...definition, json: { ...definition.json, added_tokens } });
  // A token that absorbs the spaces after it could be in two parts.
  const text = `</s>${' film'.repeat(100_000)}`;
  expect(tokenizer.bodyIds(text, 100)).toEqual(tokenizer.bodyIds(text.slice(0, 1000), 100));
  expect(() => tokenizer.bodyIds(text, 500_000)).toThrow(TextRefused);
});

test.each(encoders)('a text without a place to divide it is refused: %s', async (encoder) => {
  for (const mode of ['standard', 'nemo'] as const) {
    const tokenizer = await load(encoder, mode);
    expect(() => tokenizer.bodyIds('a'.repeat(5_000_000), 10)).toThrow(/a text has 5000000 characters without a place/);
  }
});

test('an unusual regular expression ends after a second, and the tokenizer can still be used', async () => {
  const { definition } = await load('roberta-tiny', 'standard');
  const split = { type: 'Split', pattern: { Regex: '(a+)+b' }, behavior: 'Isolated' };
  const tokenizer = createTokenizer({ ...definition, json: { ...definition.json, pre_tokenizer: split } });
  expect(() => tokenizer.encode('a'.repeat(40))).toThrow(TextRefused);
  expect(() => tokenizer.encode('a'.repeat(40))).toThrow(/does not end within a second/);
  expect(tokenizer.encode('ab')).not.toEqual(tokenizer.encode(''));
});

test('a worker thread reports a refused text as such, and tokenizes the next texts', async () => {
  const { definition } = await load('bert-tiny-uncased', 'standard');
  const pool = new TokenizerPool({ definition, maxLength: 8 }, 1);
  try {
    const refused = await pool.tokenize({ texts: ['a'.repeat(5_000_000)] }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TextRefused);
    expect(refused).toMatchObject({ hint: expect.stringContaining('divide the line') });
    expect((await pool.tokenize({ texts: ['a', 'a fine film'] })).lengths).toHaveLength(2);
  } finally {
    await pool.close();
  }
});
