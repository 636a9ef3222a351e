import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { UsageError } from '@nautil/contracts';
import { writeFileAtomic } from '@nautil/store';

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
   * @throws UsageError for an unfinished file of another identity
   */
  static async open<State>(
    path: string,
    o: { identity: string; resume: boolean },
  ): Promise<{ file: ResumableFile<State>; written: { chunks: number; state: State } | undefined }> {
    const progress = o.resume ? await readProgress<State>(path) : undefined;
    if (progress !== undefined && progress.identity !== o.identity)
      throw new UsageError(`${path}.part was written from another input, model or options`, {
        hint: 'repeat the command that was interrupted, or leave --resume out to start anew',
      });
    if (!progress) await rm(recordOf(path), { force: true });
    const file = await open(partOf(path), progress ? 'r+' : 'w');
    const { bytes = 0, chunks = 0 } = progress ?? {};
    // What was written after the record is written again.
    await file.truncate(bytes);
    const written = progress && { chunks, state: progress.state };
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

/** A record that a crash cut off is none. */
function parsedRecord(text: string): object | undefined {
  try {
    const record: unknown = JSON.parse(text);
    return typeof record === 'object' && record !== null ? record : undefined;
  } catch {
    return undefined;
  }
}

async function readProgress<State>(path: string): Promise<Progress<State> | undefined> {
  const size = await stat(partOf(path)).then(
    (found) => found.size,
    () => undefined,
  );
  const text = await readFile(recordOf(path), 'utf8').catch(() => undefined);
  if (size === undefined || text === undefined) return undefined;
  const progress = parsedRecord(text) as Progress<State> | undefined;
  return progress !== undefined && progress.bytes <= size ? progress : undefined;
}
