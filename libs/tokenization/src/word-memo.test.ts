import { expect, test } from '@jest/globals';
import { WordMemo } from './word-memo.js';

test("a word's value is computed once", () => {
  const memo = new WordMemo<string>();
  let made = 0;
  const make = (word: string) => `${word}${++made}`;
  expect([memo.get('a', make), memo.get('b', make), memo.get('a', make)]).toEqual(['a1', 'b2', 'a1']);
});

test('it never holds more words than its capacity, and returns the right value for each', () => {
  const memo = new WordMemo<string>(100);
  for (let i = 0; i < 10_000; i++) {
    const word = `word ${(i * 7919) % 501}`;
    expect(memo.get(word, (made) => made)).toBe(word);
    expect(memo.size).toBeLessThanOrEqual(100);
  }
});

test('a word in use stays cached longer than unused words', () => {
  const memo = new WordMemo<number>(10);
  let made = 0;
  for (let i = 0; i < 1000; i++) {
    memo.get('often', () => ++made);
    memo.get(`once ${i}`, () => 0);
  }
  expect(made).toBe(1);
});

test('a very long word is not cached', () => {
  const memo = new WordMemo<number>();
  expect(memo.get('x'.repeat(1000), () => 1)).toBe(1);
  expect(memo.size).toBe(0);
});
