import { parentPort, workerData } from 'node:worker_threads';
import { TextRefused } from './errors.js';
import { type TextChunk, tokenizeChunk } from './tokenize-chunk.js';
import { createTokenizer } from './tokenizer.js';
import { ready, type RefusedChunk, type WorkerInput } from './tokenizer-pool.js';

const { definition, maxLength } = workerData as WorkerInput;
const tokenizer = createTokenizer(definition);

parentPort?.on('message', (texts: TextChunk) => {
  try {
    const chunk = tokenizeChunk(tokenizer, texts, maxLength);
    const { ids, lengths, firstLengths } = chunk;
    parentPort?.postMessage(chunk, [ids.buffer, lengths.buffer, ...(firstLengths ? [firstLengths.buffer] : [])]);
  } catch (error) {
    // An error that ends the thread would lose its class on the way.
    if (!(error instanceof TextRefused)) throw error;
    parentPort?.postMessage({ refused: error.message, hint: error.hint } satisfies RefusedChunk);
  }
});
parentPort?.postMessage(ready);
