import {
  appendFileSync,
  closeSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { maskedCrc32c } from './crc32c.js';
import {
  decodeEvent,
  encodeEvent,
  encodeHParams,
  stringType,
  type EventMessage,
  type HParamValue,
  type SummaryValue,
} from './event-messages.js';

const prefix = 'events.out.tfevents.';

/**
 * A TensorBoard event file: scalars, texts and hyperparameters of a run, one after the other.
 *
 * Opened on a folder that has one, it goes on with that: what a crash tore off is cut away, and a step at or below one that
 * the tag has already is passed over, since a resumed run repeats the steps after its checkpoint.
 *
 * @example
 * const file = await EventFile.open('nemo_experiments/TextClassification/2026-11-24_10-00-00');
 * file.scalar('train_loss', 0.69, { step: 1, timestampMs: Date.now() });
 * await file.close();
 */
export class EventFile {
  readonly path: string;
  readonly #file: number;

  /** Of each tag, the highest step that the file had when it was opened. */
  readonly #had: ReadonlyMap<string, number>;

  private constructor(path: string, file: number, had: ReadonlyMap<string, number>) {
    this.path = path;
    this.#file = file;
    this.#had = had;
  }

  /** Goes on with the newest event file of the folder, or begins one. */
  static async open(folder: string): Promise<EventFile> {
    mkdirSync(folder, { recursive: true });
    const newest = readdirSync(folder)
      .filter((name) => name.startsWith(prefix))
      .sort()
      .at(-1);
    const nowSeconds = Date.now() / 1000;
    const name = newest ?? `${prefix}${Math.floor(nowSeconds)}.${hostname()}.${process.pid}.0`;
    const path = join(folder, name);
    const file = openSync(path, 'a+');

    const had = new Map<string, number>();
    let end = 0;
    for await (const read of readRecords(path)) {
      end = read.end;
      for (const { tag } of read.event.summary?.value ?? []) {
        had.set(tag, Math.max(read.event.step ?? 0, had.get(tag) ?? -Infinity));
      }
    }
    if (end < fstatSync(file).size) ftruncateSync(file, end);
    const opened = new EventFile(path, file, had);
    if (end === 0) opened.#write({ wall_time: nowSeconds, file_version: 'brain.Event:2' });
    return opened;
  }

  /** One point of a curve; kept in float32. */
  scalar(tag: string, value: number, at: { step: number; timestampMs: number }): void {
    this.#summary(at, { tag, simple_value: value });
  }

  /** A text, shown as Markdown. */
  text(tag: string, text: string, at: { step: number; timestampMs: number }): void {
    this.#summary(at, {
      tag: `${tag}/text_summary`,
      tensor: { dtype: stringType, tensor_shape: { dim: [{ size: 1 }] }, string_val: [Buffer.from(text)] },
      metadata: { plugin_data: { plugin_name: 'text' } },
    });
  }

  /**
   * The hyperparameters of the run, by dotted path, and the tags of the metrics that runs are compared by. Written once:
   * a resumed run has them already.
   */
  hyperparameters(values: Readonly<Record<string, unknown>>, metrics: readonly string[], timestampMs: number): void {
    const hparams = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, hparamValue(value)]));
    const hparam_infos = Object.entries(hparams).map(([name, value]) => ({ name, type: hparamType(value) }));
    const metric_infos = metrics.map((tag) => ({ name: { tag } }));
    const session_start_info = { hparams, start_time_secs: timestampMs / 1000 };
    const at = { step: 0, timestampMs };
    for (const [tag, content] of [
      ['_hparams_/experiment', encodeHParams({ version: 0, experiment: { hparam_infos, metric_infos } })],
      ['_hparams_/session_start_info', encodeHParams({ version: 0, session_start_info })],
    ] as const) {
      this.#summary(at, { tag, metadata: { plugin_data: { plugin_name: 'hparams', content } } });
    }
  }

  /** Brings everything to the disk; without it the operating system has it, so that only a power cut can lose it. */
  async flush(): Promise<void> {
    await promisify(fdatasync)(this.#file);
  }

  async close(): Promise<void> {
    await this.flush();
    closeSync(this.#file);
  }

  #summary({ step, timestampMs }: { step: number; timestampMs: number }, value: SummaryValue): void {
    if (step <= (this.#had.get(value.tag) ?? -Infinity)) return;
    this.#write({ wall_time: timestampMs / 1000, step, summary: { value: [value] } });
  }

  #write(event: EventMessage): void {
    appendFileSync(this.#file, frame(encodeEvent(event)));
  }
}

/** Every event of a file, in order, up to the first record that is not whole. Memory holds one piece of it at a time. */
export async function* readEvents(path: string): AsyncGenerator<EventMessage> {
  for await (const { event } of readRecords(path)) yield event;
}

const headerBytes = 12;
const footerBytes = 4;

/** TFRecord: length (u64), its checksum, the data, its checksum; little endian. */
function frame(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(headerBytes + data.length + footerBytes);
  framed.writeBigUInt64LE(BigInt(data.length));
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  framed.set(data, headerBytes);
  framed.writeUInt32LE(maskedCrc32c(data), headerBytes + data.length);
  return framed;
}

/** Events with the offset after each. Ends where the file does, or before a record that a crash tore or a disk spoiled. */
async function* readRecords(path: string): AsyncGenerator<{ event: EventMessage; end: number }> {
  const file = await open(path, 'r');
  try {
    let rest = Buffer.alloc(0);
    let end = 0;
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 })) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      let at = 0;
      for (;;) {
        const length = lengthAt(rest, at);
        if (length === undefined) break;
        if (length === 'spoiled') return;
        const total = headerBytes + length + footerBytes;
        if (rest.length < at + total) break;
        const data = rest.subarray(at + headerBytes, at + headerBytes + length);
        if (rest.readUInt32LE(at + total - footerBytes) !== maskedCrc32c(data)) return;
        at += total;
        end += total;
        yield { event: decodeEvent(data), end };
      }
      rest = rest.subarray(at);
    }
  } finally {
    await file.close();
  }
}

function lengthAt(bytes: Buffer, at: number): number | 'spoiled' | undefined {
  if (bytes.length < at + headerBytes) return undefined;
  const sound = bytes.readUInt32LE(at + 8) === maskedCrc32c(bytes.subarray(at, at + 8));
  return sound ? Number(bytes.readBigUInt64LE(at)) : 'spoiled';
}

function hparamValue(value: unknown): HParamValue {
  if (typeof value === 'number') return { number_value: value };
  if (typeof value === 'boolean') return { bool_value: value };
  return { string_value: typeof value === 'string' ? value : JSON.stringify(value ?? null) };
}

/** TensorBoard's DataType: 1 string, 2 bool, 3 float64. */
const hparamType = (value: HParamValue): number => ('string_value' in value ? 1 : 'bool_value' in value ? 2 : 3);
