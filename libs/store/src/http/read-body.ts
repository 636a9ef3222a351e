import { defineError } from '@nautil/contracts';

/** A server sends more than any response to the request can contain. */
export class ResponseTooLarge extends defineError('ResponseTooLarge', 'environment') {}

/**
 * Reads the body of a response that fits into memory. Use it in place of `response.text()`, which reads as long as the server
 * sends.
 *
 * @param source - the request, for the message
 * @throws ResponseTooLarge
 */
export async function readBody(
  body: AsyncIterable<Uint8Array> | null,
  source: string,
  limitBytes: number,
): Promise<Buffer<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > limitBytes) {
      throw new ResponseTooLarge(`${source}: the response has more than ${limitBytes} bytes`, {
        hint: 'this may be another server than you think: check its address',
      });
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
