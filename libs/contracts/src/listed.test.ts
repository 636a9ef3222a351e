import { expect, test } from '@jest/globals';
import { listed } from './listed.js';

test.each([
  [[], ''],
  [['a'], 'a'],
  [['a', 'b'], 'a and b'],
  [['a', 'b', 'c'], 'a, b and c'],
])('%j is listed as in a sentence', (words, expected) => {
  expect(listed(words)).toBe(expected);
});
