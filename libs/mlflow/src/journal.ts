import { randomUUID } from 'node:crypto';
import { appendFileSync, closeSync, fdatasync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { JournalRecord } from './journal-record.js';

/** First line of a journal. The id tells one journal from another that took its place under the same path. */
interface JournalHeader {
  type: 'journal';
  id: string;
}

/** A record and the offset just after it, which is how far a journal has been sent once it has been. */
export interface PositionedRecord {
  record: JournalRecord;
  end: number;
}

const newline = 10;

/**
 * An append-only file of JSON lines. `append` returns when the line is with the operating system: it outlives kill -9 of
 * this process at once, and the machine's power after the next `sync`.
 *
 * Several processes may append to one journal: each line is a single write at the file's end.
 */
export class Journal {
  readonly path: string;
  readonly #file: number;

  /** True after a write that failed half-way: the next line must not continue the torn one. */
  #torn = false;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.path = path;
    this.#file = openSync(path, 'a+');
    const size = this.sizeBytes;
    if (size === 0) this.#write({ type: 'journal', id: randomUUID() });
    else this.#torn = lastByte(this.#file, size) !== newline;
  }

  get sizeBytes(): number {
    return fstatSync(this.#file).size;
  }

  append(record: JournalRecord): void {
    this.#write(record);
  }

  /** Returns when everything appended is on the disk. */
  async sync(): Promise<void> {
    await promisify(fdatasync)(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(line: JournalRecord | JournalHeader): void {
    const text = `${this.#torn ? '\n' : ''}${JSON.stringify(line)}\n`;
    this.#torn = true;
    appendFileSync(this.#file, text);
    this.#torn = false;
  }
}

function lastByte(file: number, size: number): number | undefined {
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, size - 1);
  return byte[0];
}

/** The id in a journal's first line; undefined when there is no such file, or none of ours. */
export async function readJournalId(path: string): Promise<string | undefined> {
  const { lines } = await readLines(path, 0, 1).catch(() => ({ lines: [] }));
  const header = lines[0] && (parse(lines[0].text) as JournalHeader | undefined);
  return header?.type === 'journal' ? header.id : undefined;
}

/**
 * The complete records from an offset on, about `maxBytes` of them and at least one when there is one. Memory does not
 * grow with the journal. What a crash tore off in the middle of a line is passed over.
 *
 * @returns `end`: the offset to read on from; that of the call when nothing complete follows
 */
export async function readJournal(
  path: string,
  offset: number,
  maxBytes = 256 * 1024,
): Promise<{ records: PositionedRecord[]; end: number }> {
  const { lines, end } = await readLines(path, offset, maxBytes);
  const records = lines.flatMap(({ text, end }): PositionedRecord[] => {
    const record = parse(text);
    return record === undefined || record.type === 'journal' ? [] : [{ record, end }];
  });
  return { records, end };
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
      // A line longer than the buffer: read again with a larger one.
      if (lines.length > 0 || bytesRead < length) return { lines, end: offset + from };
    }
  } finally {
    await file.close();
  }
}

function parse(text: string): JournalRecord | JournalHeader | undefined {
  try {
    return JSON.parse(text) as JournalRecord | JournalHeader;
  } catch {
    return undefined;
  }
}
