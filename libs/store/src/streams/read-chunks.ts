import { openFile } from './open-file.js';

export interface ReadChunksOptions {
  /** Number of bytes to read at most; default: all. A log may grow while it is read. */
  atMost?: number;

  /** Where to start, in bytes; default 0. */
  from?: number;
}

const chunkBytes = 1 << 20;

/**
 * The content of a file in pieces. Every error reaches the reader. NOTE: a stream of `createReadStream` opens the file at once,
 * and if that fails before anyone reads, its `error` event ends the process.
 */
export async function* readChunks(
  path: string,
  { atMost = Infinity, from = 0 }: ReadChunksOptions = {},
): AsyncGenerator<Buffer> {
  const file = await openFile(path);
  try {
    for (let done = 0; done < atMost;) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, atMost - done));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, from === 0 ? null : from + done);
      if (bytesRead === 0) return;
      done += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The lines of a UTF-8 file. NOTE: `readline` lets an error of its input end the process. */
export async function* readTextLines(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of readChunks(path)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
