import { parentPort, workerData } from 'node:worker_threads';
import { tokenizeChunk } from './tokenize-chunk.js';
import { createTokenizer } from './tokenizer.js';
import type { WorkerInput } from './tokenizer-pool.js';

const { definition, maxLength } = workerData as WorkerInput;
const tokenizer = createTokenizer(definition);

parentPort?.on('message', (texts: string[]) => {
  const chunk = tokenizeChunk(tokenizer, texts, maxLength);
  parentPort?.postMessage(chunk, [chunk.ids.buffer, chunk.lengths.buffer]);
});
