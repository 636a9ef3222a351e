import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ExactNumber, parseExactJson } from './exact-json.js';

const plain = (value: unknown): unknown =>
  value instanceof ExactNumber
    ? Number(value.text)
    : Array.isArray(value)
      ? value.map(plain)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
        : value;

test('a text in JSON has the values that JSON.parse reads, with the digits of numbers beside them', () => {
  const number = fc.oneof(
    fc.stringMatching(/^-?(?:0|[1-9]\d{0,24})(?:\.\d{1,20})?(?:[eE][-+]?\d{1,3})?$/),
    fc.constantFrom('9007199254740993', '1.0', '1e400', '-0', '0.1', '7'),
  );
  const string = fc.string({ unit: fc.constantFrom('"', '\\', ',', ':', ' ', '1.0', '9007199254740993', 'é', 'e') });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(string, number, string, fc.constantFrom('', ' ', '\n')), { minLength: 1 }),
      (rows) => {
        const items = rows.map(
          ([key, digits, text, space]) =>
            `{${space}${JSON.stringify(`k${key}`)}:${space}[${digits}${space},${JSON.stringify(text)}]}`,
        );
        const json = `[${items.join(',')}]`;
        const value = parseExactJson(json) as Record<string, [unknown]>[];
        expect(plain(value)).toEqual(JSON.parse(json));
        const digitsOf = (found: unknown): string => (found instanceof ExactNumber ? found.text : String(found));
        expect(value.map((row) => digitsOf(Object.values(row)[0]?.[0]))).toEqual(rows.map(([, digits]) => digits));
      },
    ),
  );
});

test.each([
  ['12345678901234567890', '12345678901234567890'],
  ['1.50', '1.5'],
  ['1.0', '1'],
  ['1E2', '100'],
  ['-0.0', '0'],
  ['1e400', '1e400'],
  ['1e-400', '1e-400'],
  ['0.30000000000000000001', '0.30000000000000000001'],
])('as a label, %s is %s: the shortest form of the same value', (json, label) => {
  const [value] = parseExactJson(`[${json}]`) as unknown[];
  expect(value).toBeInstanceOf(ExactNumber);
  expect(String(value)).toBe(label);
});

test.each([
  '{"a": 1.0, "b": }',
  '[1.0, 1.0.0]',
  '[1.0, 01.0]',
  '[1.0, 1.]',
  '[1.0, -]',
  '[1.0, +1.0]',
  '[1.0, 1e]',
  '["1.0',
])('what JSON.parse rejects is rejected with its message: %s', (json) => {
  let message = '';
  try {
    JSON.parse(json);
  } catch (error) {
    ({ message } = error as Error);
  }
  expect(message).not.toBe('');
  expect(() => parseExactJson(json)).toThrow(new SyntaxError(message));
});
