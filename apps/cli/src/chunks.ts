/**
 * Texts that are classified or encoded together: few enough that memory use stays flat on any input and a pipe gets its
 * first results early.
 */
const chunkSize = 512;

/**
 * Groups the items of a stream into arrays of `chunkSize`; the last may be shorter.
 *
 * @param multipleOf - the arrays' size is rounded up to a multiple of this
 */
export async function* chunksOf<T>(items: AsyncIterable<T>, multipleOf = 1): AsyncGenerator<T[]> {
  const size = Math.ceil(chunkSize / multipleOf) * multipleOf;
  let chunk: T[] = [];
  for await (const item of items) {
    if (chunk.push(item) < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
