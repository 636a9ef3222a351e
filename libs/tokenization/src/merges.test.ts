import { expect, test } from '@jest/globals';
import { mergesFromVocabulary, parseMerges } from './merges.js';

const vocabulary = (...tokens: string[]) => new Map(tokens.map((token, id) => [token, id]));
const special = new Set(['<s>']);

test('merges are read line by line, without the version line', () => {
  expect(parseMerges('merges.txt', '#version: 0.2\na b\r\nĠ #version\n\n')).toEqual([
    ['a', 'b'],
    ['Ġ', '#version'],
  ]);
  expect(parseMerges('merges.txt', '# #\n')).toEqual([['#', '#']]);
  expect(() => parseMerges('merges.txt', 'a b\nabc\n')).toThrow(/merges\.txt:2: "abc" is not two tokens/);
});

test('the merges of a vocabulary in merge order are reconstructed', () => {
  expect(
    mergesFromVocabulary('vocab.json', vocabulary('<s>', 'a', 'b', 'c', 'ab', 'abc', 'cab', 'abab'), special),
  ).toEqual([
    ['a', 'b'],
    ['ab', 'c'],
    ['c', 'ab'],
    ['ab', 'ab'],
  ]);
});

test('a vocabulary in another order is rejected with the token and its parts', () => {
  expect(() => mergesFromVocabulary('vocab.json', vocabulary('a', 'b', 'c', 'abc', 'ab'), special)).toThrow(
    /vocab\.json: the merges cannot be reconstructed: .*"abc" into 3 parts \(a b c\), not 2/,
  );
});
