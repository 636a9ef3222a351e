import { parentPort, workerData } from 'node:worker_threads';
import { DataError } from '../data-error.js';
import { ParquetFile } from './parquet-file.js';
import { type ParquetInput, type ParquetReply, type ParquetRequest, ready } from './parquet-thread.js';

const { path, isGzip } = workerData as ParquetInput;
let file: Promise<ParquetFile> | undefined;
let rows: AsyncIterator<unknown[][]> | undefined;

async function answer(request: ParquetRequest): Promise<ParquetReply> {
  try {
    file ??= ParquetFile.open(path, isGzip);
    if (request === 'index') return { value: await (await file).index() };
    rows ??= (await file).rows(request.columns);
    const next = await rows.next();
    return { value: next.done === true ? undefined : next.value };
  } catch (error) {
    // An error that ends the thread would lose its class on the way.
    if (!(error instanceof DataError)) throw error;
    return { refused: error.message, hint: error.hint };
  }
}

parentPort?.on('message', (request: ParquetRequest) => {
  void answer(request).then((reply) => parentPort?.postMessage(reply));
});
parentPort?.postMessage(ready);
