import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { DataError } from './data-error.js';

/** Size of one read. */
const chunkBytes = 1 << 20;

/** A longer line means that the file is not text; failing is better than loading all of it into memory. */
const maxLineBytes = 64 << 20;

const newline = 0x0a;
const carriageReturn = 0x0d;

export interface LinesOptions {
  /**
   * Called for each line that is not valid UTF-8; the line is then returned with U+FFFD in place of the invalid bytes.
   * Without it, the first such line is an error.
   */
  onInvalid?: (place: InvalidPlace) => void;

  /** Keeps a byte order mark in the first line, as Python does. */
  keepByteOrderMark?: boolean;
}

/** Position of the first byte of a line that is not valid UTF-8. */
export interface InvalidPlace {
  /** 1-based. */
  line: number;

  /** 1-based, in characters. */
  column: number;

  byte: number;
}

/**
 * Reads the lines of a UTF-8 text file, without line terminators, in batches of about a megabyte, so that memory use does
 * not depend on the file's size. Lines end as in Python's universal newlines: at \n, \r\n or \r. U+2028 and U+0085 are text.
 *
 * @throws DataError when the path is missing or a folder, when a line is not UTF-8 (with line and column), or when a line is
 * longer than 64 MiB.
 */
export async function* readLines(path: string, options: LinesOptions = {}): AsyncGenerator<string[]> {
  const refuse = (place: InvalidPlace) => {
    throw notUtf8(path, place);
  };
  const onInvalid = options.onInvalid ?? refuse;
  const file = await openText(path);
  try {
    // The part of an incomplete line that has been read.
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    let line = 1;
    const { size } = await file.stat();
    for (let atStart = true; ; atStart = false) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(4096, size + 1)));
      const { bytesRead } = await file.read(chunk);
      const read = chunk.subarray(0, bytesRead);
      if (atStart) refuseUtf16(path, read);
      const hasMark = atStart && !options.keepByteOrderMark && hasByteOrderMark(read);
      pending.push(hasMark ? read.subarray(3) : read);
      pendingBytes += bytesRead;
      const atEnd = bytesRead === 0;
      if (pendingBytes > maxLineBytes) throw endlessLine(path, line);
      if (!atEnd && completeLength(read) === 0) continue;
      const text = Buffer.concat(pending);
      const end = atEnd ? text.length : completeLength(text);
      const lines = decodeLines(text.subarray(0, end), line, onInvalid);
      if (lines.length > 0) yield lines;
      if (atEnd) return;
      line += lines.length;
      pending = [text.subarray(end)];
      pendingBytes = text.length - end;
    }
  } finally {
    await file.close();
  }
}

/**
 * Reads a small text file completely; line terminators become \n.
 *
 * @throws DataError as `readLines`
 */
export async function readWholeText(path: string, options: LinesOptions = {}): Promise<string> {
  const batches: string[] = [];
  for await (const batch of readLines(path, options)) batches.push(batch.join('\n'));
  return batches.join('\n');
}

async function openText(path: string) {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isDirectory()) {
      await file.close();
      throw new DataError(`${path} is a folder, not a file`, { hint: 'name a file inside the folder' });
    }
    return file;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new DataError(`${path} does not exist`, {
        hint: 'check the path; a relative path starts in the current folder',
        cause: error,
      });
    }
    if (code === 'EACCES') throw new DataError(`${path} can't be read: permission denied`, { cause: error });
    throw error;
  }
}

function endlessLine(path: string, line: number): DataError {
  return new DataError(`${path}:${line}: the line is longer than ${maxLineBytes >> 20} MiB`, {
    hint: 'a TSV file has one example per line; this may be a file of another kind',
  });
}

/** Number of bytes that form complete lines. A \r at the very end is left out, because it may be the first half of \r\n. */
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

function decodeLines(bytes: Buffer, firstLine: number, onInvalid: (place: InvalidPlace) => void): string[] {
  if (isUtf8(bytes)) return splitLines(bytes.toString('utf8'));
  // Latin-1 maps every byte to one character, so splitting loses nothing, and line terminators are the same bytes.
  return splitLines(bytes.toString('latin1')).map((latin1, index) => {
    const line = Buffer.from(latin1, 'latin1');
    if (!isUtf8(line)) onInvalid({ line: firstLine + index, ...firstInvalid(line) });
    return line.toString('utf8');
  });
}

/** Finds where a line stops being valid UTF-8, by bisection over its prefixes. */
function firstInvalid(line: Buffer): { column: number; byte: number } {
  let valid = 0;
  let invalid = line.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    if (isValidPrefix(line.subarray(0, middle))) valid = middle;
    else invalid = middle;
  }
  const before = new TextDecoder().decode(line.subarray(0, valid), { stream: true });
  // The decoder withholds the incomplete character, so `before` ends right in front of the invalid byte.
  return { column: [...before].length + 1, byte: line[Buffer.byteLength(before)] ?? 0 };
}

/** Whether the bytes are a prefix of valid UTF-8; they may end inside a character. */
function isValidPrefix(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function notUtf8(path: string, { line, column, byte }: InvalidPlace): DataError {
  return new DataError(`${path}:${line}:${column}: byte 0x${byte.toString(16).padStart(2, '0')} is not valid UTF-8`, {
    hint: `if the file is Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8 ${path} > utf8.tsv`,
  });
}
