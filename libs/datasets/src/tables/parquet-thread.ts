import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { DataError } from '../data-error.js';

/** The input of a thread that reads a Parquet file. */
export interface ParquetInput {
  path: string;
  isGzip: boolean;
}

/** The index, or the next rows of some columns, which are the same in every request. */
export type ParquetRequest = 'index' | { columns: readonly string[] };

export type ParquetReply = { value: unknown } | { refused: string; hint: string | undefined };

/** A thread's first message: its code is loaded. */
export const ready = 'ready';

const damaged = 'the file is damaged: copy or download it again, or write it again';

/** The time for an answer: far more than reading the whole file takes, at a megabyte per second. */
const limitMs = async (path: string): Promise<number> =>
  Math.min(10_000 + Math.ceil((await stat(path)).size / 1000), 2 ** 31 - 1);

/** The heap of a thread, MB. The rows of an answer take a part of it. */
const heapMb = 2048;

/**
 * A thread that reads a Parquet file. hyparquet parses some damaged files without end, or until it has filled the memory; the
 * thread is then ended, and the process goes on.
 */
export class ParquetThread {
  readonly #path: string;
  readonly #worker: Worker;
  readonly #ready: Promise<unknown>;

  constructor(input: ParquetInput) {
    this.#path = input.path;
    // NOTE: the .mjs file loads its TypeScript source itself, so that no --import flag has to reach the thread.
    this.#worker = new Worker(new URL('./parquet-worker.mjs', import.meta.url), {
      workerData: input,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    // One that occurs while the thread is ended, after its answer was awaited for too long.
    this.#worker.on('error', () => undefined);
    this.#ready = once(this.#worker, 'message');
    this.#ready.catch(() => undefined); // `ask` reports it
  }

  /** Sends one request, and waits for its answer. @throws DataError */
  async ask(request: ParquetRequest): Promise<unknown> {
    await this.#ready;
    const signal = AbortSignal.timeout(await limitMs(this.#path));
    const answered = once(this.#worker, 'message', { signal });
    this.#worker.postMessage(request);
    let reply: ParquetReply;
    try {
      [reply] = (await answered) as [ParquetReply];
    } catch (error) {
      const { name, code } = error as NodeJS.ErrnoException;
      const why =
        name === 'AbortError'
          ? 'reading it does not end'
          : code === 'ERR_WORKER_OUT_OF_MEMORY'
            ? `its rows take more than ${heapMb} MB`
            : undefined;
      if (why === undefined) throw error;
      throw new DataError(`${this.#path} can't be read as Parquet: ${why}`, { hint: damaged, cause: error });
    }
    if ('refused' in reply) throw new DataError(reply.refused, { hint: reply.hint });
    return reply.value;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
