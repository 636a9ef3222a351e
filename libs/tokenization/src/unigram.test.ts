import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Unigram } from './unigram.js';

const vocabulary: [string, number][] = [
  ['<unk>', 0],
  ['a', -1],
  ['b', -2],
  ['ab', -2.5],
  ['ba', -2.25],
  ['aba', -4],
  ['😀', -3],
];

/** The score of the best division, tried out; unknown characters cost 10 more than the least likely token. */
function bestScore(text: string): number {
  if (text === '') return 0;
  const lowest = Math.min(...vocabulary.map(([, score]) => score));
  const [first = ''] = text;
  const known = vocabulary.filter(([token]) => text.startsWith(token));
  const scores = known.map(([token, score]) => score + bestScore(text.slice(token.length)));
  if (!known.some(([token]) => token === first)) scores.push(lowest - 10 + bestScore(text.slice(first.length)));
  return Math.max(...scores);
}

test('the division is a most likely one', () => {
  const model = new Unigram(vocabulary, 0, false);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '😀'), maxLength: 9 }), (text) => {
      const tokens = model.idsOf(text).map((id) => vocabulary[id] ?? (['', NaN] as const));
      expect(tokens.map(([token]) => token).join('')).toBe(text);
      expect(tokens.reduce((sum, [, score]) => sum + score, 0)).toBeCloseTo(bestScore(text));
    }),
  );
});

test('adjacent unknown characters are one unknown token', () => {
  const model = new Unigram(vocabulary, 0, false);
  expect(model.idsOf('axyza')).toEqual([1, 0, 1]);
  expect(model.idsOf('xay')).toEqual([0, 1, 0]);
  expect(model.idsOf('')).toEqual([]);
});

test('with byte fallback, unknown characters are their bytes, if the vocabulary has all of them', () => {
  const bytes = [0xc3, 0xa9, 0x78].map((byte): [string, number] => [`<0x${byte.toString(16).toUpperCase()}>`, -5]);
  const model = new Unigram([...vocabulary, ...bytes], 0, true);
  expect(model.idsOf('aéxb')).toEqual([1, 7, 8, 9, 2]);
  expect(model.idsOf('aéyb')).toEqual([1, 0, 2]);
});

test('of two equally likely divisions, the one whose last token starts earlier counts', () => {
  const model = new Unigram(
    [
      ['<unk>', 0],
      ['.', -1],
      ['..', -2],
    ],
    0,
    false,
  );
  expect(model.idsOf('...')).toEqual([1, 2]);
});
