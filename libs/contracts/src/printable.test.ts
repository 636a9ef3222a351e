import { expect, test } from '@jest/globals';
import { UsageError } from './errors.js';
import { escapeControls, printable } from './printable.js';

test.each([
  ['colours and cursor movements', '\x1b[31mred\x1b[2J', '\\x1b[31mred\\x1b[2J'],
  ['the title of the window', '\x1b]0;title\x07', '\\x1b]0;title\\x07'],
  ['one-byte escape sequences', '\x9b31m', '\\x9b31m'],
  ['overwriting', 'good\rbad\b\b', 'good\\x0dbad\\x08\\x08'],
  ['text from right to left', 'a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
  ['invisible ends of lines', 'a\u2028b\0c\x7f', 'a\\u2028b\\x00c\\x7f'],
])('a terminal shows %s and does not obey it', (_, text, shown) => {
  expect(printable(text)).toBe(shown);
  expect(escapeControls(text)).toBe(shown);
});

test('lines, tabs and the letters of all scripts stay', () => {
  expect(printable('a\tb\n  c\r\nß 漢字 👩‍👧 e\u0301')).toBe('a\tb\n  c\nß 漢字 👩‍👧 e\u0301');
});

test('a text or a line that is too long is shortened, in a short time', () => {
  const started = performance.now();
  expect(printable('x'.repeat(10_000_000))).toMatch(/^x{4000}… \(\d+ more characters\)$/);
  expect(printable('\x1b\n'.repeat(5_000_000)).length).toBeLessThan(51_000);
  expect(printable('short\n'.repeat(5))).toBe('short\n'.repeat(5));
  expect(performance.now() - started).toBeLessThan(2000);
});

test('passwords and signatures are masked', () => {
  expect(printable('no server at http://u:p@h?sig=x')).toBe('no server at http://***@h?sig=***');
});

test.each([
  ['a line', `${'x '.repeat(1970)}http://`],
  ['a text', 'x \n'.repeat(16_650)],
])('a password is masked where %s is cut inside it', (_, start) => {
  for (let moved = 0; moved < 100; moved += 9) {
    const text = `${start}${' '.repeat(moved)}http://user:${'s3cret'.repeat(20)}@host/ ${'y'.repeat(60_000)}`;
    expect(printable(text)).not.toContain('user');
    expect(new UsageError(text).message).not.toContain('user');
  }
});

test('the message of an expected error has a limited length', () => {
  const { message, hint } = new UsageError('x'.repeat(10_000_000), { hint: 'y'.repeat(10_000_000) });
  expect(message.length).toBeLessThan(51_000);
  expect(hint?.length).toBeLessThan(51_000);
});
