/**
 * Texts that are classified or encoded together: few enough that memory use stays flat on any input and a pipe gets its
 * first results early.
 */
const chunkSize = 512;

/** Groups the items of a stream into arrays of `chunkSize`; the last may be shorter. */
export async function* chunksOf<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let chunk: T[] = [];
  for await (const item of items) {
    if (chunk.push(item) < chunkSize) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
