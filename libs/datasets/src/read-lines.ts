import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { DataError } from './data-error.js';

/** Bytes asked from the file at a time. */
const chunkBytes = 1 << 20;

/** A line longer than this is a file of another kind: better an error than all of it in memory. */
const maxLineBytes = 64 << 20;

const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * The lines of a UTF-8 text file without their ends, in batches of about a megabyte, so that memory stays flat whatever the
 * file's size. A line ends as in Python's universal newlines: \n, \r\n or \r, and nothing else (U+2028 and U+0085 are text).
 * A byte order mark is no part of the first line.
 *
 * @throws DataError for a file that is missing, a folder, not UTF-8 (with line and column), or with an endless line.
 */
export async function* readLines(path: string): AsyncGenerator<string[]> {
  const file = await openText(path);
  try {
    let pending = Buffer.alloc(0);
    let line = 1;
    let position = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, position);
      if (position === 0) refuseUtf16(path, chunk.subarray(0, bytesRead));
      const start = position === 0 && hasByteOrderMark(chunk.subarray(0, bytesRead)) ? 3 : 0;
      position += bytesRead;
      const text = Buffer.concat([pending, chunk.subarray(start, bytesRead)]);
      const atEnd = bytesRead === 0;
      const end = atEnd ? text.length : completeLength(text);
      const lines = splitLines(decode(path, text.subarray(0, end), line));
      if (lines.length > 0) yield lines;
      line += lines.length;
      if (atEnd) return;
      pending = text.subarray(end);
      if (pending.length > maxLineBytes) {
        throw new DataError(`${path}:${line}: the line is longer than ${maxLineBytes >> 20} MiB`, {
          hint: 'a TSV ends each example by a newline; is this another kind of file?',
        });
      }
    }
  } finally {
    await file.close();
  }
}

async function openText(path: string) {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isDirectory()) {
      await file.close();
      throw new DataError(`${path} is a folder, not a file`, { hint: 'give the path of a file in it' });
    }
    return file;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new DataError(`${path} does not exist`, {
        hint: 'check the path and the folder it starts from',
        cause: error,
      });
    }
    if (code === 'EACCES') throw new DataError(`${path} can't be read: permission denied`, { cause: error });
    throw error;
  }
}

/** How many bytes of `text` are whole lines; a \r at the very end may be the first half of \r\n. */
function completeLength(text: Buffer): number {
  return Math.max(text.lastIndexOf(newline), text.subarray(0, -1).lastIndexOf(carriageReturn)) + 1;
}

function splitLines(text: string): string[] {
  if (text === '') return [];
  const lines = text.split(text.includes('\r') ? /\r\n|\r|\n/ : '\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function refuseUtf16(path: string, bytes: Uint8Array): void {
  const mark = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  if (mark !== 0xfffe && mark !== 0xfeff) return;
  throw new DataError(`${path}:1: the file is UTF-16, not UTF-8`, {
    hint: `convert it: iconv -f UTF-16 -t UTF-8 ${path} > utf8.tsv`,
  });
}

function decode(path: string, bytes: Buffer, firstLine: number): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const { line, column, byte } = firstInvalid(bytes);
  throw new DataError(
    `${path}:${firstLine + line}:${column}: byte 0x${byte.toString(16).padStart(2, '0')} is not valid UTF-8`,
    { hint: `convert the file, if it is Latin-1: iconv -f ISO-8859-1 -t UTF-8 ${path} > utf8.tsv` },
  );
}

/** Where the first invalid byte is: lines from 0, columns from 1 in characters. */
function firstInvalid(bytes: Buffer): { line: number; column: number; byte: number } {
  // The longest valid prefix, by halving; a prefix that ends within a character is told from a bad byte by decoding as a stream.
  const isValid = (length: number) => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    if (isValid(middle)) valid = middle;
    else invalid = middle;
  }
  const before = bytes
    .subarray(0, valid)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
  const lines = before.split(/\r\n|\r|\n/);
  return { line: lines.length - 1, column: [...(lines.at(-1) ?? '')].length + 1, byte: bytes[valid] ?? 0 };
}
