import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

/**
 * Makes an error of a stream wait for its reader. Without a listener, an `error` event ends the process: streams emit it before
 * the reader has come, and again after it has left.
 */
export function guardStream<S extends Readable>(stream: S): S {
  return stream.on('error', (error) => stream.destroy(error));
}

/** Decompresses gzip. Every error reaches the reader, and the source is closed when the reader leaves. */
export async function* gunzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const content = guardStream(createGunzip());
  const fed = pipeline(source, content);
  fed.catch(() => undefined); // the loop throws the same error
  try {
    for await (const chunk of content) yield chunk as Buffer;
    await fed;
  } finally {
    content.destroy();
  }
}
