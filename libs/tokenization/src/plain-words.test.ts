import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IdList } from './id-list.js';
import { longestPlainWord, nextHash, PlainWords } from './plain-words.js';

const unitsOf = (text: string): Uint16Array => Uint16Array.from(text, (unit) => unit.charCodeAt(0));
const hashOf = (word: string): number => unitsOf(word).reduce(nextHash, 0);

/** The stored ids of a word; undefined for none. */
function idsOf(words: PlainWords, word: string): number[] | undefined {
  const ids = new IdList(0);
  const isKnown = words.appendIds(unitsOf(` ${word} `), 1, 1 + word.length, hashOf(word), ids);
  return isKnown ? ids.toNumbers() : undefined;
}

test('a word has the ids that were stored for it, and no other word has them', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.stringMatching(/^[!-~]{1,4}$/), { minLength: 2, maxLength: 40 }),
      ([other = '', ...known]) => {
        const words = new PlainWords();
        known.forEach((word, at) => words.add(word, hashOf(word), [at, at + 1].slice(0, at % 3)));
        known.forEach((word, at) => expect(idsOf(words, word)).toEqual([at, at + 1].slice(0, at % 3)));
        expect(idsOf(words, other)).toBeUndefined();
      },
    ),
  );
});

test('words with one hash are told apart', () => {
  const words = new PlainWords();
  words.add('ab', 7, [1]);
  words.add('cd', 7, [2]);
  const ids = new IdList(0);
  expect(words.appendIds(unitsOf('ab cd ef'), 3, 5, 7, ids)).toBe(true);
  expect(ids.toNumbers()).toEqual([2]);
  expect(words.appendIds(unitsOf('ab cd ef'), 6, 8, 7, ids)).toBe(false);
});

test('of words that were chosen for their equal hashes, few are stored, so that none needs many tries', () => {
  const words = new PlainWords();
  const chosen = Array.from({ length: 1000 }, (_, at) => `w${at}`);
  chosen.forEach((word, at) => words.add(word, 7, [at]));
  expect(words.size).toBe(64);
  const found = chosen.filter((word) => words.appendIds(unitsOf(word), 0, word.length, 7, new IdList(0)));
  expect(found).toEqual(chosen.slice(0, 64));
  words.add('other', hashOf('other'), [5]);
  expect(idsOf(words, 'other')).toEqual([5]);
});

test('the number of words, their units and their ids are bounded', () => {
  for (const [length, count] of [
    [1, 1],
    [longestPlainWord, 1],
    [1, longestPlainWord],
  ] as const) {
    const words = new PlainWords(64);
    for (let at = 0; at < 1000; at++) {
      const word = `${'x'.repeat(length - 1)}${String.fromCharCode(0x21 + (at % 90))}`;
      if (idsOf(words, word) === undefined) words.add(word, hashOf(word), new Array<number>(count).fill(at));
      expect(words.size).toBeLessThanOrEqual(64);
      expect(idsOf(words, word)).toHaveLength(count);
    }
  }
});

test('a word of too many ids is not stored', () => {
  const words = new PlainWords();
  words.add('a', hashOf('a'), new Array<number>(longestPlainWord + 1).fill(1));
  expect(idsOf(words, 'a')).toBeUndefined();
});
