import { expect, test } from '@jest/globals';
import { textLines } from './text-lines.js';

async function linesOf(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of textLines(
    (async function* () {
      yield* chunks;
    })(),
  ))
    lines.push(line);
  return lines;
}

test('a line ends with \\n or \\r\\n, and with nothing else', async () => {
  expect(await linesOf('a\tb\r\nc\u2028d\u0085e\rf\n')).toEqual(['a\tb', 'c\u2028d\u0085e\rf']);
});

test('an empty line is an empty text, and the last line may lack a line ending', async () => {
  expect(await linesOf('\n\nlast')).toEqual(['', '', 'last']);
  expect(await linesOf('')).toEqual([]);
});

test('characters and line ends may be cut between chunks', async () => {
  const bytes = new TextEncoder().encode('né\r\n🤗\n');
  expect(await linesOf(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(['né', '🤗']);
});

test('a byte-order mark is not part of the first text', async () => {
  expect(await linesOf(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0x0a))).toEqual(['a']);
});
