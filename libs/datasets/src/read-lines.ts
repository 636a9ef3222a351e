import { isUtf8 } from 'node:buffer';
import { openFile } from '@nautil/store/streams';
import { DataError } from './data-error.js';
import { refuseBinary, refuseNulBytes } from './name-format.js';
import { ByteSurvey, conversionCommand, wideEncodingOf } from './text-encoding.js';

/** Size of one read. The strings of larger pieces are collected late, so that memory grows by tens of megabytes. */
const chunkBytes = 1 << 16;

/** A longer line means that the file is not text; failing is better than loading all of it into memory. */
const maxLineBytes = 16 << 20;

const newline = 0x0a;
const carriageReturn = 0x0d;

/** A file, by its path, or a stream of bytes, with a name for messages; `file` is the path if these are the bytes of a file. */
export type TextSource =
  string | { readonly name: string; readonly bytes: AsyncIterable<Uint8Array>; readonly file?: string };

export interface LinesOptions {
  /**
   * Called for each line that is not valid UTF-8; the line is then returned with U+FFFD in place of the invalid bytes.
   * Without it, the first such line is an error.
   */
  onInvalid?: (place: InvalidPlace) => void;

  /** Keeps a byte order mark in the first line, as Python does. */
  keepByteOrderMark?: boolean;

  /** universal (default): lines end as in Python, at \n, \r\n or \r; newline: only at \n or \r\n. */
  lineEnds?: LineEnds;

  /** Keeps the terminator of each line. */
  keepLineEnds?: boolean;
}

type SplittingOptions = Pick<LinesOptions, 'keepLineEnds'> & { lineEnds: LineEnds };
type LineEnds = 'universal' | 'newline';

/** Position of the first byte of a line that is not valid UTF-8. */
export interface InvalidPlace {
  /** 1-based. */
  line: number;

  /** 1-based, in characters. */
  column: number;

  byte: number;
}

/**
 * Reads the lines of a UTF-8 text, without line terminators, in batches, so that memory use does not depend on the text's size.
 * A batch holds the lines that are complete when a piece of the input arrives: 64 KiB of a file, or what a pipe has
 * delivered. U+2028 and U+0085 never end a line.
 *
 * @throws DataError when the path is missing or a folder, when the text is UTF-16 or UTF-32 or a
 * compressed or binary file, when a line is not UTF-8 (with line
 * and column), or when a line is longer than 16 MiB. The hint has the command that converts the text.
 */
export async function* readLines(source: TextSource, options: LinesOptions = {}): AsyncGenerator<string[]> {
  const { name, bytes } = typeof source === 'string' ? { name: source, bytes: bytesOf(source) } : source;
  const lineEnds = options.lineEnds ?? 'universal';
  // The part of an incomplete line that has been read.
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let line = 1;
  let atStart = true;
  const decode = async (block: Buffer, end: number): Promise<string[]> => {
    if (atStart) refuseOtherThanUtf8(source, block);
    const start = atStart && !options.keepByteOrderMark && hasByteOrderMark(block) ? 3 : 0;
    atStart = false;
    const invalid: InvalidPlace[] = [];
    const onInvalid = options.onInvalid ?? ((place) => invalid.push(place));
    const lines = decodeLines(block.subarray(start, end), {
      firstLine: line,
      lineEnds,
      keepLineEnds: options.keepLineEnds === true,
      onInvalid,
    });
    const [first] = invalid;
    if (first) throw notUtf8(name, first, await encodingHint(source, block));
    line += lines.length;
    return lines;
  };
  for await (const piece of bytes) {
    const chunk = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    pending.push(chunk);
    pendingBytes += chunk.length;
    if (pendingBytes > maxLineBytes) {
      if (line === 1) refuseOtherThanUtf8(source, Buffer.concat(pending));
      throw endlessLine(name, line);
    }
    if (completeLength(chunk, lineEnds) === 0) continue;
    const block = Buffer.concat(pending);
    const end = completeLength(block, lineEnds);
    const lines = await decode(block, end);
    if (lines.length > 0) yield lines;
    pending = [block.subarray(end)];
    pendingBytes = block.length - end;
  }
  const rest = Buffer.concat(pending);
  const lines = await decode(rest, rest.length);
  if (lines.length > 0) yield lines;
}

/**
 * How to convert a text that is not UTF-8. A file is read completely, since its encoding may show only near its end; of a
 * stream, only `block` is known.
 */
export async function encodingHint(source: TextSource, block?: Uint8Array): Promise<string> {
  const survey = new ByteSurvey();
  const file = fileOf(source);
  if (file !== undefined) for await (const piece of bytesOf(file)) survey.add(piece);
  else if (block) survey.add(block);
  return survey.hint((encoding) => conversionCommand(encoding, fileOf(source)));
}

const fileOf = (source: TextSource): string | undefined => (typeof source === 'string' ? source : source.file);

/** The bytes of a file in pieces of 64 KiB. @throws DataError for a path that is missing, a folder or unreadable */
export async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const file = await openText(path);
  try {
    const { size } = await file.stat();
    for (;;) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(4096, size + 1)));
      const { bytesRead } = await file.read(chunk);
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
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
    const file = await openFile(path);
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
function completeLength(text: Buffer, lineEnds: LineEnds): number {
  const end = text.lastIndexOf(newline);
  return (lineEnds === 'newline' ? end : Math.max(end, text.subarray(0, -1).lastIndexOf(carriageReturn))) + 1;
}

function splitLines(text: string, { lineEnds, keepLineEnds = false }: SplittingOptions): string[] {
  if (text === '') return [];
  if (keepLineEnds) return text.split(lineEnds === 'universal' ? /(?<=\n|\r(?!\n))/ : /(?<=\n)/);
  const lines = text.split(lineEnds === 'universal' && text.includes('\r') ? /\r\n|\r|\n/ : '\n');
  if (lines.at(-1) === '') lines.pop();
  return lineEnds === 'newline' ? lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : lines;
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** @throws DataError for the start of a binary file, or of a text in UTF-16 or UTF-32 */
function refuseOtherThanUtf8(source: TextSource, start: Uint8Array): void {
  const name = typeof source === 'string' ? source : source.name;
  refuseBinary(name, start, fileOf(source));
  refuseWideEncoding(source, start);
  refuseNulBytes(name, start, fileOf(source));
}

function refuseWideEncoding(source: TextSource, start: Uint8Array): void {
  const encoding = wideEncodingOf(start);
  if (encoding === undefined) return;
  const name = typeof source === 'string' ? source : source.name;
  const first = [...start.subarray(0, 4)].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
  throw new DataError(`${name}:1: the file is ${encoding}, not UTF-8: its first bytes are ${first}`, {
    hint: `convert it: ${conversionCommand(encoding, fileOf(source))}`,
  });
}

function decodeLines(
  bytes: Buffer,
  o: SplittingOptions & { firstLine: number; onInvalid: (place: InvalidPlace) => void },
): string[] {
  if (isUtf8(bytes)) return splitLines(bytes.toString('utf8'), o);
  // Latin-1 maps every byte to one character, so splitting loses nothing, and line terminators are the same bytes.
  return splitLines(bytes.toString('latin1'), o).map((latin1, index) => {
    const line = Buffer.from(latin1, 'latin1');
    if (!isUtf8(line)) o.onInvalid({ line: o.firstLine + index, ...firstInvalid(line) });
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

function notUtf8(name: string, { line, column, byte }: InvalidPlace, hint: string): DataError {
  return new DataError(`${name}:${line}:${column}: byte 0x${byte.toString(16).padStart(2, '0')} is not valid UTF-8`, {
    hint,
  });
}
