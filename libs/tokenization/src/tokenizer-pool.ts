import { Worker } from 'node:worker_threads';
import { TextRefused } from './errors.js';
import type { TextChunk, TokenizedChunk } from './tokenize-chunk.js';
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

/** A worker thread's first message: it has loaded its tokenizer. */
export const ready = 'ready';

interface Thread {
  worker: Worker;
  isReady: boolean;

  /** Pending requests, oldest first. */
  pending: { resolve: (chunk: TokenizedChunk) => void; reject: (error: Error) => void }[];
}

/** A pool of worker threads that tokenise. Each thread is FIFO; a chunk goes to the ready thread with the fewest pending requests. */
export class TokenizerPool {
  readonly #threads: Thread[];
  #failure: Error | undefined;

  constructor(input: WorkerInput, size: number) {
    this.#threads = Array.from({ length: size }, () => this.#start(input));
  }

  /** Whether a thread waits for texts, or has only the next ones. */
  get isWaiting(): boolean {
    return this.#failure !== undefined || this.#threads.some(({ isReady, pending }) => isReady && pending.length < 2);
  }

  tokenize(texts: TextChunk): Promise<TokenizedChunk> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      const load = ({ isReady, pending }: Thread): number => pending.length + (isReady ? 0 : Infinity);
      const thread = this.#threads.reduce((idlest, next) => (load(next) < load(idlest) ? next : idlest));
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
    const thread: Thread = { worker, isReady: false, pending: [] };
    worker.on('message', (reply: typeof ready | TokenizedChunk | RefusedChunk) => {
      if (reply === ready) {
        thread.isReady = true;
        return;
      }
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
