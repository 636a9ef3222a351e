import { expect, test } from '@jest/globals';
import { AddedTokenSplitter } from './added-tokens.js';
import type { AddedToken } from './tokenizer-definition.js';

/** The parts of a text, with added tokens in angle brackets. */
function parts(text: string, ...tokens: (Partial<AddedToken> & { content: string })[]): string[] {
  const splitter = new AddedTokenSplitter(tokens.map((token, id) => [token.content, { id, ...token }]));
  return splitter.split(text).map((part) => ('text' in part ? part.text : `<${part.token.content}>`));
}

test('of several tokens at one place, the longest is found, and the first place counts', () => {
  expect(parts('xaby', { content: 'a' }, { content: 'ab' }, { content: 'by' })).toEqual(['x', '<ab>', 'y']);
  expect(parts('', { content: 'a' })).toEqual([]);
  expect(parts('aa', { content: 'a' }, { content: '' })).toEqual(['<a>', '<a>']);
});

test('a token may absorb the spaces before or after it, including those that JavaScript does not know', () => {
  expect(parts('x \u0085 a y', { content: 'a', lstrip: true })).toEqual(['x', '<a>', ' y']);
  expect(parts('x a \u0085\ufeffy', { content: 'a', rstrip: true })).toEqual(['x ', '<a>', '\ufeffy']);
  expect(parts('a a', { content: 'a', lstrip: true, rstrip: true })).toEqual(['<a>', '<a>']);
});

test('a single word is not part of a longer one in any script', () => {
  const token = { content: 'film', single_word: true };
  expect(parts('film, films 中film _film film', token)).toEqual(['<film>', ', films 中film _film ', '<film>']);
  expect(parts('𝒜film film😀', token)).toEqual(['𝒜film ', '<film>', '😀']);
});

test('characters of regular expressions are ordinary characters', () => {
  expect(parts('a.b(c|d)[e]$^', { content: '(c|d)[e]$' }, { content: '.' })).toEqual([
    'a',
    '<.>',
    'b',
    '<(c|d)[e]$>',
    '^',
  ]);
});

test('many tokens in a long text are found in linear time', () => {
  const text = '   <mask>'.repeat(100_000);
  expect(parts(text, { content: '<mask>', lstrip: true, single_word: true })).toHaveLength(100_000);
});
