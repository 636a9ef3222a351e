import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { DataError } from './data-error.js';

/** Bytes asked from the file at a time. */
const chunkBytes = 1 << 20;

/** A line longer than this is a file of another kind: better an error than all of it in memory. */
const maxLineBytes = 64 << 20;

const newline = 0x0a;
const carriageReturn = 0x0d;

export interface LinesOptions {
  /** Told of each line that is not UTF-8, which then comes with U+FFFD for what is wrong; without it, the first such line is an error. */
  onInvalid?: (place: InvalidPlace) => void;

  /** Leaves a byte order mark in the first line, as Python does. */
  keepByteOrderMark?: boolean;
}

/** The first byte of a line that is not UTF-8. */
export interface InvalidPlace {
  /** 1-based. */
  line: number;

  /** 1-based, in characters. */
  column: number;

  byte: number;
}

/**
 * The lines of a UTF-8 text file without their ends, in batches of about a megabyte, so that memory stays flat whatever the
 * file's size. A line ends as in Python's universal newlines: \n, \r\n or \r, and nothing else (U+2028 and U+0085 are text).
 *
 * @throws DataError for a file that is missing, a folder, not UTF-8 (with line and column), or with an endless line.
 */
export async function* readLines(path: string, options: LinesOptions = {}): AsyncGenerator<string[]> {
  const refuse = (place: InvalidPlace) => {
    throw notUtf8(path, place);
  };
  const onInvalid = options.onInvalid ?? refuse;
  const file = await openText(path);
  try {
    // What was read of a line that has not ended.
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
 * The whole of a small text file, its lines ended by \n.
 *
 * @throws DataError as `readLines`.
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
      throw new DataError(`${path} is a folder, not a file`, { hint: 'give the path of a file in it' });
    }
    return file;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
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

function endlessLine(path: string, line: number): DataError {
  return new DataError(`${path}:${line}: the line is longer than ${maxLineBytes >> 20} MiB`, {
    hint: 'a TSV ends each example by a newline; is this another kind of file?',
  });
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

function decodeLines(bytes: Buffer, firstLine: number, onInvalid: (place: InvalidPlace) => void): string[] {
  if (isUtf8(bytes)) return splitLines(bytes.toString('utf8'));
  // Line ends are the same bytes in Latin-1, and no byte is lost in it.
  return splitLines(bytes.toString('latin1')).map((latin1, index) => {
    const line = Buffer.from(latin1, 'latin1');
    if (!isUtf8(line)) onInvalid({ line: firstLine + index, ...firstInvalid(line) });
    return line.toString('utf8');
  });
}

/** Where a line stops being UTF-8: the longest valid beginning, by halving. */
function firstInvalid(line: Buffer): { column: number; byte: number } {
  let valid = 0;
  let invalid = line.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    if (canBegin(line.subarray(0, middle))) valid = middle;
    else invalid = middle;
  }
  const before = new TextDecoder().decode(line.subarray(0, valid), { stream: true });
  // What the decoder holds back is the beginning of the character that never ends.
  return { column: [...before].length + 1, byte: line[Buffer.byteLength(before)] ?? 0 };
}

/** Whether a UTF-8 text can begin with these bytes, which may end within a character. */
function canBegin(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function notUtf8(path: string, { line, column, byte }: InvalidPlace): DataError {
  return new DataError(`${path}:${line}:${column}: byte 0x${byte.toString(16).padStart(2, '0')} is not valid UTF-8`, {
    hint: `convert the file, if it is Latin-1: iconv -f ISO-8859-1 -t UTF-8 ${path} > utf8.tsv`,
  });
}
