import { expect, test } from '@jest/globals';
import { normalizeForBert } from './bert-normalizer.js';
import { slowBertWords } from './slow-bert-words.js';
import { SpecialTokens } from './special-tokens.js';

const uncased = { cleanText: true, splitIdeographs: true, lowercase: true, stripAccents: null };
const cased = { ...uncased, lowercase: false };
const special = new SpecialTokens(['[MASK]', '[CLS]']);

test('the fast normalizer lower-cases each character separately: a final sigma becomes σ', () => {
  expect(normalizeForBert('ΣΊΣΥΦΟΣ', uncased)).toBe('σισυφοσ');
  expect(normalizeForBert('İstanbul', uncased)).toBe('istanbul');
});

test('the fast normalizer separates ideographs beyond U+FFFF, except those missing in the reference', () => {
  expect(normalizeForBert('a𠀀b中', cased)).toBe('a 𠀀 b 中 ');
  expect(normalizeForBert('a\u{2b830}b', cased)).toBe('a\u{2b830}b');
});

test('the fast normalizer removes control characters and replaces other spaces by U+0020', () => {
  expect(normalizeForBert('a\u0000b\u200bc\ufffd\ufeff\u0085\td\u2028e\u3000', cased)).toBe('abc d e ');
});

test('accents are stripped together with lower-casing, unless strip_accents is set', () => {
  expect(normalizeForBert('É', uncased)).toBe('e');
  expect(normalizeForBert('É', { ...uncased, stripAccents: false })).toBe('é');
  expect(normalizeForBert('É', { ...cased, stripAccents: true })).toBe('E');
});

test('the slow tokenizer finds special tokens first, and only in their exact spelling', () => {
  expect(slowBertWords('x[MASK]y', special, uncased)).toEqual(['x', '[MASK]', 'y']);
  expect(slowBertWords('[mask]', special, uncased)).toEqual(['[', 'mask', ']']);
  // Cleaned up, it is a special token in the cased way; the uncased has lower-cased it before.
  expect(slowBertWords('[MA\u0000SK]', special, cased)).toEqual(['[MASK]']);
  expect(slowBertWords('[MA\u0000SK]', special, uncased)).toEqual(['[', 'mask', ']']);
});

test('the slow tokenizer composes characters when accents are kept', () => {
  expect(slowBertWords('cafe\u0301', special, cased)).toEqual(['caf\u00e9']);
  expect(slowBertWords('cafe\u0301', special, uncased)).toEqual(['cafe']);
});

test('the slow tokenizer makes each punctuation character and ideograph a word', () => {
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
