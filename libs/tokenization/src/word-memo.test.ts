import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

test.each(['latin1', 'utf16le'] as const)(
  'a cached word keeps nothing of the text that it was cut from: %s',
  (encoding) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const memo = new WordMemo<number>();
    const heapAfter = (texts: number): number => {
      for (let text = 0; text < texts; text++) {
        const bytes = Buffer.alloc(1 << 19, 'a word, and another one;');
        bytes.write(`${text}`, encoding === 'latin1' ? 100 : 200, encoding);
        memo.get(bytes.toString(encoding).slice(90, 130), () => text);
      }
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = heapAfter(1);
    expect(heapAfter(100) - before).toBeLessThan(10 * 2 ** 20);
    expect(memo.size).toBe(100);
  },
);

test.each(['naïve', '\ud800 half', '\u{1f600}', ''])(
  'a word is found again whatever its code units are: %j',
  (word) => {
    const memo = new WordMemo<number>();
    expect([memo.get(word, () => 1), memo.get(` ${word}`.slice(1), () => 2)]).toEqual([1, 1]);
  },
);
