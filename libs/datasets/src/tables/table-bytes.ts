import { gunzipped, openFile } from '@nautil/store/streams';
import { DataError } from '../data-error.js';
import { bytesOf, type TextSource } from '../read-lines.js';

const sampleBytes = 1 << 16;

/** Lines that the start of a file has, however long they are, so that its header never fills it alone. */
const sampleLines = 20;

/** Longer lines are no rows: see `readLines`. */
const maxSampleBytes = 15 << 20;

/** The start of a file, unpacked if gzip packed it: 64 KiB, or as much as 20 lines take, up to 15 MiB. */
export interface FileStart {
  bytes: Buffer;
  isGzip: boolean;

  /** Whether the file has more bytes. */
  isCut: boolean;
}

/** @throws DataError for a file that does not exist or can't be unpacked */
export async function startOf(path: string): Promise<FileStart> {
  const isGzip = await isGzipped(path);
  const pieces: Buffer[] = [];
  let size = 0;
  let lines = 0;
  for await (const piece of tableBytes(path, isGzip)) {
    // A piece more than needed shows that the file goes on.
    const isEnough = size >= maxSampleBytes || (size >= sampleBytes && lines >= sampleLines);
    pieces.push(piece);
    size += piece.length;
    if (isEnough) break;
    for (let at = piece.indexOf(newline); at !== -1 && lines < sampleLines; at = piece.indexOf(newline, at + 1))
      lines++;
  }
  const bytes = Buffer.concat(pieces);
  const sampled = Math.min(maxSampleBytes, Math.max(sampleBytes, afterLines(bytes, sampleLines)));
  return { bytes: bytes.subarray(0, sampled), isGzip, isCut: size > sampled };
}

const newline = 0x0a;

/** The position after some lines; the end of bytes that have fewer. */
function afterLines(bytes: Buffer, lines: number): number {
  let end = 0;
  for (let line = 0; line < lines; line++) {
    end = bytes.indexOf(newline, end) + 1;
    if (end === 0) return bytes.length;
  }
  return end;
}

/**
 * The bytes of a file, unpacked if gzip packed it.
 *
 * @throws DataError for a file that does not exist or can't be unpacked
 */
export async function* tableBytes(path: string, isGzip: boolean): AsyncGenerator<Buffer> {
  if (!isGzip) {
    yield* bytesOf(path);
    return;
  }
  try {
    for await (const piece of gunzipped(bytesOf(path))) yield piece;
  } catch (error) {
    // The stream aborts its reader if the data ends inside a block.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!code.startsWith('Z_') && code !== 'ABORT_ERR') throw error;
    throw new DataError(`${path} can't be unpacked: ${(error as Error).message}`, {
      hint: 'the file is damaged or cut off: copy or download it again',
      cause: error,
    });
  }
}

/** The text of a file, unpacked if gzip packed it. */
export const tableText = (path: string, isGzip: boolean): TextSource =>
  isGzip ? { name: path, bytes: tableBytes(path, true) } : path;

/** The text of a file, unpacked if it starts as gzip's do. NOTE: reads the start twice, so a pipe can't be given. */
export const unpackedText = async (path: string): Promise<TextSource> => tableText(path, await isGzipped(path));

async function isGzipped(path: string): Promise<boolean> {
  for await (const piece of bytesOf(path)) return piece[0] === 0x1f && piece[1] === 0x8b;
  return false;
}

/** Whether a file ends with the magic number of Parquet, as it starts with it. */
export async function endsAsParquet(path: string): Promise<boolean> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const end = Buffer.alloc(4);
    if (size < 12) return false;
    await file.read(end, 0, 4, size - 4);
    return end.toString('latin1') === 'PAR1';
  } finally {
    await file.close();
  }
}
