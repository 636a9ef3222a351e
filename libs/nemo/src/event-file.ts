import { appendFileSync, closeSync, fdatasync, fstatSync, ftruncateSync, openSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createFolderSync, syncFolder } from '@nautil/store/folders';
import { readChunks } from '@nautil/store/streams';
import { maskedCrc32c } from './crc32c.js';
import { decodeEvent, encodeEvent, type EventMessage } from './event-messages.js';

const prefix = 'events.out.tfevents.';

/**
 * Appends scalars to a TensorBoard event file.
 *
 * In a folder that already has an event file, it appends to that file. It truncates a record that a crash left incomplete,
 * and ignores steps that the file already has for a tag, because a resumed run repeats the steps after its checkpoint.
 *
 * @example
 * const file = await EventFile.open('nemo_experiments/TextClassification/2026-11-24_10-00-00');
 * file.scalar('train_loss', 0.69, { step: 1, timestampMs: Date.now() });
 * await file.close();
 */
export class EventFile {
  readonly path: string;
  readonly #file: number;

  /** The highest step of each tag when the file was opened. */
  readonly #lastSteps: ReadonlyMap<string, number>;

  private constructor(path: string, file: number, lastSteps: ReadonlyMap<string, number>) {
    this.path = path;
    this.#file = file;
    this.#lastSteps = lastSteps;
  }

  /** Opens the newest event file of the folder, or creates one. */
  static async open(folder: string): Promise<EventFile> {
    createFolderSync(folder);
    const newest = readdirSync(folder)
      .filter((name) => name.startsWith(prefix))
      .sort()
      .at(-1);
    const nowSeconds = Date.now() / 1000;
    const name = newest ?? `${prefix}${Math.floor(nowSeconds)}.${hostname()}.${process.pid}.0`;
    const path = join(folder, name);
    const file = openSync(path, 'a+');
    try {
      if (newest === undefined) await syncFolder(folder);
      return await EventFile.#openedAt(path, file, nowSeconds);
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  static async #openedAt(path: string, file: number, nowSeconds: number): Promise<EventFile> {
    const lastSteps = new Map<string, number>();
    let end = 0;
    for await (const record of readRecords(path)) {
      end = record.end;
      for (const { tag } of record.event.summary?.value ?? []) {
        lastSteps.set(tag, Math.max(record.event.step ?? 0, lastSteps.get(tag) ?? -Infinity));
      }
    }
    if (end < fstatSync(file).size) ftruncateSync(file, end);
    const opened = new EventFile(path, file, lastSteps);
    if (end === 0) opened.#write({ wall_time: nowSeconds, file_version: 'brain.Event:2' });
    return opened;
  }

  /** Appends one point of a curve; the file format stores it in float32. */
  scalar(tag: string, value: number, { step, timestampMs }: { step: number; timestampMs: number }): void {
    if (step <= (this.#lastSteps.get(tag) ?? -Infinity)) return;
    this.#write({ wall_time: timestampMs / 1000, step, summary: { value: [{ tag, simple_value: value }] } });
  }

  /** Writes everything to the disk. Before this call, a power cut can lose records that the operating system buffers. */
  async sync(): Promise<void> {
    await promisify(fdatasync)(this.#file);
  }

  /** Writes everything to the disk, and closes the file. */
  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      closeSync(this.#file);
    }
  }

  #write(event: EventMessage): void {
    appendFileSync(this.#file, frame(encodeEvent(event)));
  }
}

/** Reads the events of a file in order, up to the first incomplete record. Memory holds one chunk at a time. */
export async function* readEvents(path: string): AsyncGenerator<EventMessage> {
  for await (const { event } of readRecords(path)) yield event;
}

const headerBytes = 12;
const footerBytes = 4;

/** The TFRecord framing: length (u64), its checksum, the data, its checksum; little endian. */
function frame(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(headerBytes + data.length + footerBytes);
  framed.writeBigUInt64LE(BigInt(data.length));
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  framed.set(data, headerBytes);
  framed.writeUInt32LE(maskedCrc32c(data), headerBytes + data.length);
  return framed;
}

/** Reads events with the offset after each; stops before a record that is incomplete or fails its checksum. */
async function* readRecords(path: string): AsyncGenerator<{ event: EventMessage; end: number }> {
  let rest = Buffer.alloc(0);
  let end = 0;
  for await (const chunk of readChunks(path)) {
    rest = Buffer.concat([rest, chunk]);
    let offset = 0;
    for (;;) {
      const length = lengthAt(rest, offset);
      if (length === undefined) break;
      if (length === 'corrupt') return;
      const total = headerBytes + length + footerBytes;
      if (rest.length < offset + total) break;
      const data = rest.subarray(offset + headerBytes, offset + headerBytes + length);
      if (rest.readUInt32LE(offset + total - footerBytes) !== maskedCrc32c(data)) return;
      offset += total;
      end += total;
      yield { event: decodeEvent(data), end };
    }
    rest = rest.subarray(offset);
  }
}

function lengthAt(bytes: Buffer, offset: number): number | 'corrupt' | undefined {
  if (bytes.length < offset + headerBytes) return undefined;
  const isIntact = bytes.readUInt32LE(offset + 8) === maskedCrc32c(bytes.subarray(offset, offset + 8));
  return isIntact ? Number(bytes.readBigUInt64LE(offset)) : 'corrupt';
}
