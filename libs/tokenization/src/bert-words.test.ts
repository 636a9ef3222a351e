import { expect, test } from '@jest/globals';
import { normalizeForBert } from './bert-normalizer.js';
import { slowBertWords } from './slow-bert-words.js';
import { SpecialTokens } from './special-tokens.js';

const uncased = { cleanText: true, splitIdeographs: true, lowercase: true, stripAccents: null };
const cased = { ...uncased, lowercase: false };
const special = new SpecialTokens(['[MASK]', '[CLS]']);

test('the fast way lower-cases each character alone: a final sigma is σ', () => {
  expect(normalizeForBert('ΣΊΣΥΦΟΣ', uncased)).toBe('σισυφοσ');
  expect(normalizeForBert('İstanbul', uncased)).toBe('istanbul');
});

test('the fast way puts spaces around ideographs beyond U+FFFF too, but for the ones that the reference forgot', () => {
  expect(normalizeForBert('a𠀀b中', cased)).toBe('a 𠀀 b 中 ');
  expect(normalizeForBert('a\u{2b830}b', cased)).toBe('a\u{2b830}b');
});

test('the fast way drops control characters and makes other spaces plain', () => {
  expect(normalizeForBert('a\u0000b\u200bc\ufffd\ufeff\u0085\td\u2028e\u3000', cased)).toBe('abc d e ');
});

test('accents go with lower case, unless told otherwise', () => {
  expect(normalizeForBert('É', uncased)).toBe('e');
  expect(normalizeForBert('É', { ...uncased, stripAccents: false })).toBe('é');
  expect(normalizeForBert('É', { ...cased, stripAccents: true })).toBe('E');
});

test('the slow way finds special tokens before all else, and only as they are written', () => {
  expect(slowBertWords('x[MASK]y', special, uncased)).toEqual(['x', '[MASK]', 'y']);
  expect(slowBertWords('[mask]', special, uncased)).toEqual(['[', 'mask', ']']);
  // Cleaned up, it is a special token in the cased way; the uncased has lower-cased it before.
  expect(slowBertWords('[MA\u0000SK]', special, cased)).toEqual(['[MASK]']);
  expect(slowBertWords('[MA\u0000SK]', special, uncased)).toEqual(['[', 'mask', ']']);
});

test('the slow way composes characters where accents are kept', () => {
  expect(slowBertWords('cafe\u0301', special, cased)).toEqual(['caf\u00e9']);
  expect(slowBertWords('cafe\u0301', special, uncased)).toEqual(['cafe']);
});

test('the slow way makes each punctuation character and ideograph a word', () => {
  expect(slowBertWords("don't$…中文\u{2b830}x", special, cased)).toEqual([
    'don',
    "'",
    't',
    '$',
    '…',
    '中',
    '文',
    '\u{2b830}',
    'x',
  ]);
});
