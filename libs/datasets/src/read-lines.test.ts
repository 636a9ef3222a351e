import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
      /endless\.bin:1: the line is longer than 16 MiB/,
    );
  });
});

/** NOTE: TextDecoder is no reference for WINDOWS-1252: Node decodes its bytes 0x80-0x9F as ISO-8859-1. */
const encodeAs = (encoding: string, text: string): Buffer =>
  execFileSync('iconv', ['-f', 'UTF-8', '-t', encoding], { input: text });

const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
const utf32le = (text: string): Buffer =>
  Buffer.concat([...text].map((character) => Buffer.from(Uint32Array.of(character.codePointAt(0) ?? 0).buffer)));

const western = 'good\t1\ncaf\u00e9 noir\t0\n';
const windows = 'caf\u00e9\t1\nit\u2019s \u201cfine\u201d \u2013 \u20ac5\t0\n';
const chinese = '\u8fd9\u662f\u4e00\u90e8\u5f88\u597d\u7684\u7535\u5f71\t1\n';
const gbk = Buffer.from('d5e2cac7d2bbb2bfbadcbac3b5c4b5e7d3b009310a', 'hex');
const russian = '\u0445\u043e\u0440\u043e\u0448\u0438\u0439 \u0444\u0438\u043b\u044c\u043c\t1\n';

test.each<[string, Buffer, string, string]>([
  ['Latin-1', Buffer.from(western, 'latin1'), western, 'ISO-8859-1'],
  ['cp1252 with bytes 0x80-0x9F', encodeAs('WINDOWS-1252', windows), windows, 'WINDOWS-1252'],
  [
    'cp1252 whose bytes 0x80-0x9F come after the first invalid line',
    Buffer.concat([Buffer.from(western.repeat(200_000), 'latin1'), encodeAs('WINDOWS-1252', windows)]),
    western.repeat(200_000) + windows,
    'WINDOWS-1252',
  ],
  ['UTF-16LE with a mark', Buffer.from(`\ufeff${windows}`, 'utf16le'), windows, 'UTF-16'],
  ['UTF-16BE with a mark', utf16be(`\ufeff${windows}`), windows, 'UTF-16'],
  ['UTF-16LE without a mark', Buffer.from(windows, 'utf16le'), windows, 'UTF-16LE'],
  ['UTF-16BE without a mark', utf16be(windows), windows, 'UTF-16BE'],
  ['Chinese UTF-16LE without a mark', Buffer.from(chinese, 'utf16le'), chinese, 'UTF-16LE'],
  ['Chinese UTF-16BE without a mark', utf16be(chinese), chinese, 'UTF-16BE'],
  ['UTF-32LE without a mark', utf32le(windows), windows, 'UTF-32LE'],
  ['UTF-32LE with a mark', utf32le(`\ufeff${windows}`), windows, 'UTF-32'],
  ['Chinese GBK', gbk, chinese, 'GB18030'],
  ['Russian cp1251', encodeAs('WINDOWS-1251', russian), russian, 'WINDOWS-1251'],
])('the command in the hint converts a text that is not UTF-8: %s', async (_, content, text, encoding) => {
  // A name that the shell would split.
  await withFolder({ "it's a.tsv": content }, async (folder) => {
    const failure: unknown = await readLines(join(folder, "it's a.tsv"))
      .next()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DataError);
    const { message, hint = '' } = failure as DataError;
    expect(message).toMatch(/it's a\.tsv:\d+:.*0x/);
    const command = /iconv .*/.exec(hint)?.[0] ?? '';
    expect(command).toContain(`iconv -f ${encoding} -t UTF-8`);
    execFileSync('sh', ['-c', command], { cwd: folder });
    expect(readFileSync(join(folder, 'utf8.tsv'), 'utf8')).toBe(text);
  });
});

test.each(['a\0b\t1\n', `${'fine film\t1\n'.repeat(300)}\0\n`, 'good\0 film\t1\n'])(
  'a UTF-8 text with a stray NUL is not taken for UTF-16: %j',
  async (text) => {
    expect((await linesOf(text)).join('\n')).toBe(text.trimEnd());
  },
);

test('a text that mixes encodings gets no command, because each would damage a part of it', async () => {
  const mixed = Buffer.concat([Buffer.from('\u00e9t\u00e9\t1\n'), Buffer.from('\u00e9t\u00e9\t1\n', 'latin1')]);
  await expect(linesOf(mixed)).rejects.toMatchObject({ hint: expect.stringContaining('correct the invalid lines') });
});

test('a byte that neither Latin-1 nor WINDOWS-1252 defines is not converted with either', async () => {
  await expect(linesOf(Buffer.from('a text of the \x90 kind\t1\n', 'latin1'))).rejects.toMatchObject({
    hint: expect.stringContaining('neither Latin-1 nor WINDOWS-1252'),
  });
});

async function streamed(chunks: Iterable<Uint8Array>, options?: LinesOptions): Promise<string[]> {
  const bytes = (async function* () {
    yield* chunks;
  })();
  const lines: string[] = [];
  for await (const batch of readLines({ name: 'standard input', bytes }, options)) lines.push(...batch);
  return lines;
}

const eachByte = (content: Uint8Array) => Array.from(content, (byte) => Uint8Array.of(byte));

test.each([
  ['a\tb\r\nc\u2028d\u0085e\rf\n', ['a\tb', 'c\u2028d\u0085e\rf']],
  ['\n\nlast', ['', '', 'last']],
  ['', []],
  ['n\u00e9\r\n\ud83e\udd17\r', ['n\u00e9', '\ud83e\udd17']],
  ['\ufeffa\n', ['a']],
])('a stream whose lines end only at \\n or \\r\\n has the same lines however it is cut: %j', async (text, lines) => {
  const content = Buffer.from(text);
  expect(await streamed([content], { lineEnds: 'newline' })).toEqual(lines);
  expect(await streamed(eachByte(content), { lineEnds: 'newline' })).toEqual(lines);
});

test.each([
  [Buffer.from(western, 'latin1'), /standard input:2:4: byte 0xe9 is not valid UTF-8/],
  [Buffer.from(`\ufeff${western}`, 'utf16le'), /standard input:1: the file is UTF-16, not UTF-8/],
  [Buffer.from(western, 'utf16le'), /standard input:1: the file is UTF-16LE, not UTF-8/],
  [utf16be(western), /standard input:1: the file is UTF-16BE, not UTF-8/],
])('a stream that is not UTF-8 is rejected however it is cut: %s', async (content, message) => {
  await expect(streamed([content])).rejects.toThrow(message);
  await expect(streamed(eachByte(content))).rejects.toThrow(message);
});
