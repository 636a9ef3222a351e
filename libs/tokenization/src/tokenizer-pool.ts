import { Worker } from 'node:worker_threads';
import { TextRefused } from './errors.js';
import type { TokenizedChunk } from './tokenize-chunk.js';
import type { TokenizerDefinition } from './tokenizer-definition.js';

/** The input of a worker thread. */
export interface WorkerInput {
  definition: TokenizerDefinition;
  maxLength: number;
}

/** A worker thread's reply for texts that its tokenizer refuses. */
export interface RefusedChunk {
  refused: string;
  hint: string | undefined;
}

interface Thread {
  worker: Worker;

  /** Pending requests, oldest first. */
  pending: { resolve: (chunk: TokenizedChunk) => void; reject: (error: Error) => void }[];
}

/** A pool of worker threads that tokenise. Each thread is FIFO; a chunk goes to the thread with the fewest pending requests. */
export class TokenizerPool {
  readonly #threads: Thread[];
  #failure: Error | undefined;

  constructor(input: WorkerInput, size: number) {
    this.#threads = Array.from({ length: size }, () => this.#start(input));
  }

  get size(): number {
    return this.#threads.length;
  }

  tokenize(texts: string[]): Promise<TokenizedChunk> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      const thread = this.#threads.reduce((idlest, next) =>
        next.pending.length < idlest.pending.length ? next : idlest,
      );
      thread.pending.push({ resolve, reject });
      thread.worker.postMessage(texts);
    });
  }

  async close(): Promise<void> {
    this.#failure ??= new Error('the tokenizer pool is closed');
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(input: WorkerInput): Thread {
    // NOTE: the .mjs file loads its TypeScript source itself, so that no --import flag has to reach the thread.
    const worker = new Worker(new URL('./tokenize-worker.mjs', import.meta.url), { workerData: input, execArgv: [] });
    const thread: Thread = { worker, pending: [] };
    worker.on('message', (reply: TokenizedChunk | RefusedChunk) => {
      const request = thread.pending.shift();
      if ('refused' in reply) request?.reject(new TextRefused(reply.refused, { hint: reply.hint }));
      else request?.resolve(reply);
    });
    const fail = (error: Error) => {
      this.#failure ??= error;
      for (const { reject } of thread.pending.splice(0)) reject(error);
    };
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`a tokenizer thread ended with code ${code}`)));
    return thread;
  }
}
