import { expect, test } from '@jest/globals';
import { counted } from './counted.js';

test.each([
  [0, '0 lines'],
  [1, '1 line'],
  [2, '2 lines'],
])('%d is written with the noun in the right number', (count, expected) => {
  expect(counted(count, 'line')).toBe(expected);
});

test('an irregular plural is given', () => {
  expect([0, 1, 2].map((count) => counted(count, 'class', 'classes'))).toEqual(['0 classes', '1 class', '2 classes']);
});
