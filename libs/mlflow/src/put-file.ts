import { createReadStream } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Answer } from './retry-policy.js';

/**
 * Sends a file of known size as the body of a PUT, at the pace of the network: memory stays flat whatever the size.
 *
 * NOTE: fetch of Node 20 reads a whole body, stream or Blob, ahead of the socket (1.5 GB sent was 1.5 GB held), so this
 * is the one request that does not go through it.
 */
export async function putFile(
  url: URL,
  o: { file: string; sizeBytes: number; headers: Record<string, string>; signal: AbortSignal },
): Promise<Answer> {
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method: 'PUT',
    headers: { ...o.headers, 'content-type': 'application/octet-stream', 'content-length': o.sizeBytes },
    signal: o.signal,
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      const headers = new Headers();
      for (let i = 0; i < response.rawHeaders.length; i += 2) {
        headers.append(response.rawHeaders[i]!, response.rawHeaders[i + 1]!);
      }
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, headers, body }), reject);
    });
  });
  // A refusal may come before the body is through; what it says is worth more than the broken pipe.
  const sent = pipeline(bytesOf(o.file, o.sizeBytes), request);
  const [answered, body] = await Promise.allSettled([answer, sent]);
  if (answered.status === 'fulfilled') return answered.value;
  throw body.status === 'rejected' ? body.reason : answered.reason;
}

/** Reads no further than the promised size: a log file may grow while it is sent. */
const bytesOf = (file: string, sizeBytes: number): Iterable<never> | NodeJS.ReadableStream =>
  sizeBytes === 0 ? [] : createReadStream(file, { end: sizeBytes - 1 });
