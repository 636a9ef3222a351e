import { setImmediate } from 'node:timers/promises';

/** Texts that are classified or encoded together: few enough that memory use stays flat on any input. */
const chunkSize = 512;

export interface ChunkOptions {
  /** Ends a chunk also when the next item is not available yet, so that a slow stream gets its results without delay. */
  prompt: boolean;

  /** The size of the arrays is rounded up to a multiple of this. Default 1. */
  multipleOf?: number;
}

/** Groups the items of a stream into arrays of `chunkSize`; the last may be shorter. */
export async function* chunksOf<T>(
  items: AsyncIterable<T>,
  { prompt, multipleOf = 1 }: ChunkOptions,
): AsyncGenerator<T[]> {
  const size = Math.ceil(chunkSize / multipleOf) * multipleOf;
  const iterator = items[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    for (;;) {
      const chunk: T[] = [];
      // The first item is waited for; the others of a prompt stream must arrive in the same turn of the event loop.
      let item: IteratorResult<T> | undefined = await next;
      const turnEnds = prompt ? setImmediate(undefined) : undefined;
      while (item !== undefined && item.done !== true) {
        chunk.push(item.value);
        next = iterator.next();
        if (chunk.length === size) break;
        item = await (turnEnds ? Promise.race([next, turnEnds]) : next);
      }
      // An error of the stream is reported by the next await, after the results of the texts before it.
      next.catch(() => undefined);
      if (chunk.length > 0) yield chunk;
      if (item?.done === true) return;
    }
  } finally {
    // Not awaited: while an item is pending, a generator returns only after it has arrived.
    iterator.return?.().catch(() => undefined);
  }
}
