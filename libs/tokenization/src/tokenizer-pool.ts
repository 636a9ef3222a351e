import { Worker } from 'node:worker_threads';
import type { TokenizedChunk } from './tokenize-chunk.js';
import type { TokenizerDefinition } from './tokenizer-definition.js';

/** What a worker thread is started with. */
export interface WorkerInput {
  definition: TokenizerDefinition;
  maxLength: number;
}

interface Thread {
  worker: Worker;

  /** Answers due, in the order of the questions. */
  waiting: { resolve: (chunk: TokenizedChunk) => void; reject: (error: Error) => void }[];
}

/** Worker threads that tokenise. Each answers in the order it was asked; a chunk goes to the one with the least to do. */
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
      const thread = this.#threads.reduce((least, next) => (next.waiting.length < least.waiting.length ? next : least));
      thread.waiting.push({ resolve, reject });
      thread.worker.postMessage(texts);
    });
  }

  async close(): Promise<void> {
    this.#failure ??= new Error('the tokenizer pool is closed');
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(input: WorkerInput): Thread {
    // NOTE: the worker loads its TypeScript by itself: Node's --import flags don't reach it under Jest.
    const worker = new Worker(new URL('./tokenize-worker.mjs', import.meta.url), { workerData: input, execArgv: [] });
    const thread: Thread = { worker, waiting: [] };
    worker.on('message', (chunk: TokenizedChunk) => thread.waiting.shift()?.resolve(chunk));
    const fail = (error: Error) => {
      this.#failure ??= error;
      for (const { reject } of thread.waiting.splice(0)) reject(error);
    };
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`a tokenizer thread ended with code ${code}`)));
    return thread;
  }
}
