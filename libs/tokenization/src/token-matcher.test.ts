import { expect, test } from '@jest/globals';
import { TokenMatcher } from './token-matcher.js';

const matchesOf = (contents: readonly string[], text: string): [number, string][] =>
  new TokenMatcher(contents).matches(text).map(({ start, content }) => [start, content]);

/** What a regular expression that tries longer tokens first finds. */
function alternationMatches(contents: readonly string[], text: string): [number, string][] {
  const longestFirst = contents.filter((content) => content !== '').sort((a, b) => b.length - a.length);
  if (longestFirst.length === 0) return [];
  return [...text.matchAll(new RegExp(longestFirst.join('|'), 'g'))].map(({ 0: content, index }) => [index, content]);
}

test('the leftmost token is found, of several at one place the longest, and tokens do not overlap', () => {
  expect(matchesOf(['a-b', 'b-c-d', 'b', ''], 'a-b-c-d b-c-d')).toEqual([
    [0, 'a-b'],
    [8, 'b-c-d'],
  ]);
  expect(matchesOf(['[SEP]'], 'a [SEP [SEP]]')).toEqual([[7, '[SEP]']]);
  expect(matchesOf([], 'abc')).toEqual([]);
});

test('any tokens are found in any text as an alternation of them finds them', () => {
  // A fixed sequence of pseudo-random letters (Park and Miller).
  let state = 1;
  const random = (most: number): number => (state = (state * 48271) % 2147483647) % most;
  const word = (longest: number): string =>
    Array.from({ length: random(longest + 1) }, () => 'ab😀'.charAt(random(4))).join('');
  for (let round = 0; round < 2000; round++) {
    const contents = Array.from({ length: random(6) }, () => word(5));
    const text = word(30);
    expect([contents, text, matchesOf(contents, text)]).toEqual([contents, text, alternationMatches(contents, text)]);
    expect(new TokenMatcher(contents).occurIn(text)).toBe(alternationMatches(contents, text).length > 0);
  }
});

test('20,000 tokens that begin alike are found in a text of 1,000,000 characters', () => {
  const tokens = Array.from({ length: 20_000 }, (_, index) => 'a'.repeat(1 + (index % 40)) + String(index));
  const text = 'a'.repeat(1_000_000);
  expect(matchesOf(tokens, text)).toEqual([]);
  expect(matchesOf([...tokens, 'a'.repeat(1000)], text)).toHaveLength(1000);
});
