import { expect, test } from '@jest/globals';
import { SeenTexts } from './seen-texts.js';

test('a repeated text returns its first occurrence, whatever the number of other texts', () => {
  const seen = new SeenTexts();
  for (let line = 1; line <= 20_000; line++)
    expect(seen.add(`text ${line}`, { line, label: line % 7 })).toBeUndefined();
  for (const line of [1, 2, 777, 19_999, 20_000]) {
    expect(seen.add(`text ${line}`, { line: 1, label: -1 })).toEqual({ line, label: line % 7 });
  }
  expect(seen.comparedOnly).toBeUndefined();
});

test('beyond its limit it stores no new texts, still detects stored ones, and reports the limit', () => {
  const seen = new SeenTexts(2);
  seen.add('a', { line: 1, label: 0 });
  seen.add('b', { line: 2, label: 0 });
  expect(seen.comparedOnly).toBeUndefined();
  expect(seen.add('c', { line: 3, label: 0 })).toBeUndefined();
  expect(seen.add('c', { line: 4, label: 0 })).toBeUndefined();
  expect(seen.add('a', { line: 5, label: 1 })).toEqual({ line: 1, label: 0 });
  expect(seen.comparedOnly).toBe(2);
});
