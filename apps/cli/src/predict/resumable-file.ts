import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UsageError } from '@nautil/contracts';
import { writeFileAtomic } from '@nautil/store';
import { createFolder } from '@nautil/store/folders';

/** How far a file is written. */
interface Progress<State> {
  /** What the content depends on. */
  identity: string;
  bytes: number;
  chunks: number;
  state: State;
}

/** Time between two records of the progress. */
const recordEveryMs = 1000;

/**
 * A file that is written in chunks under the name `PATH.part`, and has its own name once it is complete. `PATH.part.json` records how much of it
 * is on disk, so that another process continues after the last recorded chunk.
 */
export class ResumableFile<State> {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #identity: string;
  #bytes: number;
  #chunks: number;
  #recordedAt = performance.now();

  private constructor(o: { path: string; file: FileHandle; identity: string; bytes: number; chunks: number }) {
    this.#path = o.path;
    this.#file = o.file;
    this.#identity = o.identity;
    this.#bytes = o.bytes;
    this.#chunks = o.chunks;
  }

  /**
   * Opens a file for writing.
   *
   * @param o.identity - what the content depends on
   * @param o.resume - continues an unfinished file of the same identity; otherwise it is written from its start
   * @returns the file with what is written of it, or with the reason why nothing is continued
   * @throws UsageError for an unfinished file of another identity
   */
  static async open<State>(
    path: string,
    o: { identity: string; resume: boolean },
  ): Promise<{ file: ResumableFile<State>; written: { chunks: number; state: State } | string }> {
    await createFolder(dirname(path));
    const found = o.resume ? await readProgress<State>(path) : 'it is not to be continued';
    const progress = typeof found === 'string' ? undefined : found;
    if (progress !== undefined && progress.identity !== o.identity)
      throw new UsageError(`${path}.part was written from another input, model or options`, {
        hint: 'repeat the command that was interrupted, or leave --resume out to start anew',
      });
    if (!progress) await rm(recordOf(path), { force: true });
    const file = await open(partOf(path), progress ? 'r+' : 'w');
    const { bytes = 0, chunks = 0 } = progress ?? {};
    // What was written after the record is written again.
    await file.truncate(bytes);
    const written = typeof found === 'string' ? found : { chunks, state: found.state };
    return { file: new ResumableFile<State>({ path, file, identity: o.identity, bytes, chunks }), written };
  }

  /** Appends a chunk; `state` is that after it. */
  async append(text: string, state: () => State): Promise<void> {
    const bytes = Buffer.from(text);
    await this.#file.write(bytes, 0, bytes.length, this.#bytes);
    this.#bytes += bytes.length;
    this.#chunks++;
    if (performance.now() - this.#recordedAt < recordEveryMs) return;
    await this.#file.datasync();
    const progress: Progress<State> = {
      identity: this.#identity,
      bytes: this.#bytes,
      chunks: this.#chunks,
      state: state(),
    };
    await writeFileAtomic(recordOf(this.#path), JSON.stringify(progress));
    this.#recordedAt = performance.now();
  }

  /** Gives the complete file its name. */
  async finish(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await rename(partOf(this.#path), this.#path);
    await rm(recordOf(this.#path), { force: true });
  }

  /** Leaves the file for a later process. */
  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }
}

/** The names that a file has, and its record, until it is complete. */
export const unfinishedFiles = (path: string): string[] => [partOf(path), recordOf(path)];

const partOf = (path: string): string => `${path}.part`;
const recordOf = (path: string): string => `${path}.part.json`;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** Undefined for a record that a crash cut off, or that something else wrote. */
function parsedRecord<State>(text: string): Progress<State> | undefined {
  try {
    const record = JSON.parse(text) as Partial<Record<keyof Progress<State>, unknown>> | null;
    const { identity, bytes, chunks, state } = record ?? {};
    const isComplete = typeof identity === 'string' && isCount(bytes) && isCount(chunks) && state !== undefined;
    return isComplete ? (record as Progress<State>) : undefined;
  } catch {
    return undefined;
  }
}

/** How far a file was written, or why that is not known, as the first half of a sentence. */
async function readProgress<State>(path: string): Promise<Progress<State> | string> {
  const [part, record] = [partOf(path), recordOf(path)];
  const size = await stat(part).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return `there is no ${part} to continue`;
  const text = await readFile(record, 'utf8').catch(() => undefined);
  if (text === undefined) return `${part} has no record of its progress (${record})`;
  const progress = parsedRecord<State>(text);
  if (progress === undefined) return `${record}, the record of what ${part} has, is cut off or damaged`;
  if (progress.bytes > size)
    return `${part} has ${size} bytes, fewer than the ${progress.bytes} that ${record} states: it is cut off`;
  return progress;
}
