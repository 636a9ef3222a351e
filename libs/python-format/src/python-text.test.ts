import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parsePythonInt, splitWords, stripSpaces } from './python-text.js';

test('words are split at every character that Python takes for a space, and at no other', () => {
  const spaces: string[] = [];
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
    if (splitWords(`a${String.fromCodePoint(codePoint)}b`).length === 2) spaces.push(codePoint.toString(16));
  }
  // [f'{c:x}' for c in range(0x110000) if len(f'a{chr(c)}b'.split()) == 2] in Python 3.11
  expect(spaces.join(' ')).toBe(
    '9 a b c d 1c 1d 1e 1f 20 85 a0 1680 2000 2001 2002 2003 2004 2005 2006 2007 2008 2009 200a 2028 2029 202f 205f 3000',
  );
});

test('a text without words splits into none', () => {
  expect(splitWords('')).toEqual([]);
  expect(splitWords(' \t\u3000 ')).toEqual([]);
});

test('splitting and joining by single spaces is stable', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'é', ' ', '\t', '\u0085', '\u2028', '\ufeff', '😀'),
    maxLength: 30,
  });
  fc.assert(
    fc.property(text, (value) => {
      const joined = splitWords(value).join(' ');
      expect(splitWords(joined).join(' ')).toBe(joined);
      expect(stripSpaces(joined)).toBe(joined);
      expect(splitWords(stripSpaces(value))).toEqual(splitWords(value));
    }),
  );
});

test.each([
  ['0', 0],
  ['-1', -1],
  ['+1', 1],
  ['-0', 0],
  ['007', 7],
  ['1_0', 10],
  ['1_000_000', 1_000_000],
  ['０', 0],
  ['１２', 12],
  ['-٣', -3],
  ['1２', 12],
  ['𝟗', 9],
  ['𝟎', 0],
  ['९', 9],
])('Python takes %j for the integer %d', (word, value) => {
  expect(parsePythonInt(word)).toBe(value);
});

test.each([
  '',
  '1.0',
  '1e3',
  '0x1',
  '_1',
  '1_',
  '1__0',
  '+',
  '-',
  '--1',
  '+-1',
  '²',
  '½',
  'Ⅷ',
  '一',
  'one',
  '1a',
  '− 1',
  '−1',
])('Python takes %j for no integer', (word) => {
  expect(parsePythonInt(word)).toBeUndefined();
});
