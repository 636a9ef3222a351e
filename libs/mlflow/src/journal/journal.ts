import { randomUUID } from 'node:crypto';
import { appendFileSync, closeSync, fdatasync, fstatSync, fsyncSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { parseJson } from '@nautil/contracts/schemas';
import { createFolderSync, fileMode, syncFolderSync } from '@nautil/store/folders';
import { readChunks } from '@nautil/store/streams';
import { isJournalLine, type JournalHeader, type JournalRecord, parseJournalLine } from './journal-record.js';

/** A record, with the offset of the byte after it. */
export interface JournalEntry {
  record: JournalRecord;
  end: number;
}

/** A line that is no record: torn by a crash, or edited. `describeDamage` finds out what is wrong with it. */
export interface DamagedLine {
  start: number;
  end: number;
}

const newline = 10;

/** The longest records have a report as text. */
const longestLine = 64 << 20;

/**
 * A write-ahead log: an append-only file of JSON lines. When `append` returns, the operating system has the line: it
 * survives kill -9 of this process at once, and a power cut after the next `sync`.
 *
 * Several processes may append to the same journal: each line is a single write at the end of the file.
 */
export class Journal {
  readonly path: string;
  readonly #file: number;

  /** True after a write that failed half-way: the next line must not be appended to the torn one. */
  #torn = false;

  constructor(path: string) {
    createFolderSync(dirname(path));
    this.path = path;
    this.#file = openSync(path, 'a+', fileMode(path));
    const { size } = fstatSync(this.#file);
    if (size === 0) this.#begin();
    else this.#torn = lastByte(this.#file, size) !== newline;
  }

  append(record: JournalRecord): void {
    this.#write(record);
  }

  /** Resolves when everything that was appended is on the disk. */
  async sync(): Promise<void> {
    await promisify(fdatasync)(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }

  /** The header is synced at once: without it, the file would not be a journal, and what was sent could not be found again. */
  #begin(): void {
    this.#write({ type: 'journal', id: randomUUID() });
    fsyncSync(this.#file);
    syncFolderSync(dirname(this.path));
  }

  #write(line: JournalRecord | JournalHeader): void {
    const text = `${this.#torn ? '\n' : ''}${JSON.stringify(line)}\n`;
    this.#torn = true;
    appendFileSync(this.#file, text);
    this.#torn = false;
  }
}

/** Makes all that a journal holds survive a power cut, whichever process wrote it. */
export async function syncJournalFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

function lastByte(file: number, size: number): number | undefined {
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, size - 1);
  return byte[0];
}

/** The id in the first line of a journal; undefined when the file does not exist or is not a journal. */
export async function readJournalId(path: string): Promise<string | undefined> {
  try {
    const { lines } = await readLines(path, 0, 1);
    const header = parseJournalLine(lines[0]?.text ?? '', path);
    return header.type === 'journal' ? header.id : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads about `maxBytes` of complete records from an offset on, and at least one record when there is one. Memory does not
 * grow with the journal.
 *
 * @returns `end`: the offset at which to continue; the given offset when no complete line follows
 */
export async function readJournal(
  path: string,
  offset: number,
  maxBytes = 256 * 1024,
): Promise<{ entries: JournalEntry[]; damaged: DamagedLine[]; end: number }> {
  const { lines, end: readEnd } = await readLines(path, offset, maxBytes);
  const entries: JournalEntry[] = [];
  const damaged: DamagedLine[] = [];
  let start = offset;
  for (const { text, end } of lines) {
    const record = recordIn(text);
    if (record === undefined) damaged.push({ start, end });
    else if (record.type !== 'journal') entries.push({ record, end });
    start = end;
  }
  return { entries, damaged, end: readEnd };
}

/** Undefined for a line that is no record. A file of another kind has millions of them, and an error for each takes long. */
function recordIn(text: string): JournalRecord | JournalHeader | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value = parseJson(text);
    return isJournalLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Names the file, the line and what is wrong. Reads the file up to the line. */
export async function describeDamage(path: string, { start, end }: DamagedLine): Promise<string> {
  let line = 1;
  if (start > 0) {
    for await (const chunk of readChunks(path, { atMost: start })) {
      for (const byte of chunk) if (byte === newline) line++;
    }
  }
  const source = `${path}:${line}`;
  if (end - start > longestLine) return `${source} is longer than any record`;
  const { lines } = await readLines(path, start, end - start);
  try {
    parseJournalLine(lines[0]?.text ?? '', source);
    return `${source} has changed`;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The offset after the next line end; undefined when there is none yet. */
async function endOfLine(path: string, start: number): Promise<number | undefined> {
  let at = start;
  for await (const chunk of readChunks(path, { from: start })) {
    const found = chunk.indexOf(newline);
    if (found >= 0) return at + found + 1;
    at += chunk.length;
  }
  return undefined;
}

async function readLines(
  path: string,
  offset: number,
  maxBytes: number,
): Promise<{ lines: { text: string; end: number }[]; end: number }> {
  const file = await open(path, 'r');
  try {
    for (let length = maxBytes; ; length *= 4) {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(length), position: offset });
      const lines: { text: string; end: number }[] = [];
      let from = 0;
      for (let at = buffer.indexOf(newline); at >= 0 && at < bytesRead; at = buffer.indexOf(newline, from)) {
        lines.push({ text: buffer.toString('utf8', from, at), end: offset + at + 1 });
        from = at + 1;
      }
      if (lines.length > 0 || bytesRead < length) return { lines, end: offset + from };
      // A line longer than the buffer is read again into a larger one, and one that is longer than any record is skipped.
      if (length >= longestLine) {
        const end = await endOfLine(path, offset + bytesRead);
        return end === undefined ? { lines, end: offset } : { lines: [{ text: '', end }], end };
      }
    }
  } finally {
    await file.close();
  }
}
