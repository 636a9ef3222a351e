import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { withFolder } from '@nautil/testing';
import { DataError } from './data-error.js';
import { type InvalidPlace, type LinesOptions, readLines, readWholeText } from './read-lines.js';

async function linesOf(content: string | Uint8Array, options?: LinesOptions): Promise<string[]> {
  return withFolder({ 'a.tsv': content }, async (folder) => {
    const lines: string[] = [];
    for await (const batch of readLines(join(folder, 'a.tsv'), options)) for (const line of batch) lines.push(line);
    return lines;
  });
}

test.each([
  ['', []],
  ['a', ['a']],
  ['a\n', ['a']],
  ['a\nb', ['a', 'b']],
  ['a\r\nb\rc\n', ['a', 'b', 'c']],
  ['\n\n', ['', '']],
  ['\r', ['']],
  ['\r\n', ['']],
  ['a\n\rb', ['a', '', 'b']],
  ['a\u2028b\u0085c\vd\fe\u2029f', ['a\u2028b\u0085c\vd\fe\u2029f']],
  ['\ufeffa\nb', ['a', 'b']],
  ['a\n\ufeffb', ['a', '\ufeffb']],
])('%j has the lines %j', async (content, lines) => {
  expect(await linesOf(content)).toEqual(lines);
});

test('chunk boundaries never split a line', async () => {
  // Three megabytes: characters of several bytes and two-byte line ends fall on the borders of chunks.
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  const ends = ['\n', '\r\n', '\r'];
  const lines = Array.from({ length: 60_000 }, (_, at) => `${'aé中😀'.repeat(random(12))}${at}`);
  const content = lines.map((line) => `${line}${ends[random(3)]}`).join('');
  expect(Buffer.byteLength(content)).toBeGreaterThan(3e6);
  expect(await linesOf(content)).toEqual(lines);
});

test('a line may be longer than a chunk', async () => {
  const long = 'x'.repeat(3_000_000);
  expect(await linesOf(`${long}\n${long}\r\nend`)).toEqual([long, long, 'end']);
});

test('readWholeText returns all lines', async () => {
  await withFolder({ 'a.txt': '\ufeffone\r\ntwo\rthree\n' }, async (folder) => {
    expect(await readWholeText(join(folder, 'a.txt'))).toBe('one\ntwo\nthree');
    expect(await readWholeText(join(folder, 'a.txt'), { keepByteOrderMark: true })).toBe('\ufeffone\ntwo\nthree');
  });
});

test('an invalid byte is reported with its line and column', async () => {
  const content = Buffer.concat([Buffer.from('first\r\nsecond 😀 '), Buffer.from([0xe9]), Buffer.from(' line\n')]);
  await expect(linesOf(content)).rejects.toThrow(/a\.tsv:2:10: byte 0xe9 is not valid UTF-8/);
});

test('every invalid byte is reported at its position', async () => {
  const good = fc.string({ unit: fc.constantFrom('a', 'é', '中', '😀', '\n', '\r', ' '), maxLength: 40 });
  const bad = fc.constantFrom([0xff], [0xc3], [0xe4, 0xb8], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf8]);
  await fc.assert(
    fc.asyncProperty(good, bad, good, async (before, bytes, after) => {
      // ASCII after it, so that the bad bytes can't begin a good character.
      const content = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(`x${after}`)]);
      const places: InvalidPlace[] = [];
      await linesOf(content, { onInvalid: (place) => places.push(place) });
      const lines = before.split(/\r\n|\r|\n/);
      expect(places).toEqual([{ line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1, byte: bytes[0] }]);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['missing.tsv', /missing\.tsv does not exist/],
  ['folder', /folder is a folder, not a file/],
  ['utf16.tsv', /utf16\.tsv:1: the file is UTF-16/],
])('%s is rejected with an explanation', async (name, message) => {
  await withFolder({ 'folder/x': '', 'utf16.tsv': Buffer.from('\ufeffgood\t1\n', 'utf16le') }, async (folder) => {
    const reading = readLines(join(folder, name)).next();
    await expect(reading).rejects.toThrow(DataError);
    await expect(readLines(join(folder, name)).next()).rejects.toThrow(message);
  });
});

test('an endless line is rejected before all of it is in memory', async () => {
  await withFolder({ 'endless.bin': Buffer.alloc(70 << 20, 'x') }, async (folder) => {
    await expect(readLines(join(folder, 'endless.bin')).next()).rejects.toThrow(
      /endless\.bin:1: the line is longer than 64 MiB/,
    );
  });
});
