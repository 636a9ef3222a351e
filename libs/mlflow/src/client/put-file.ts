import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { readBody, type TlsOptions } from '@nautil/store/http';
import { readChunks } from '@nautil/store/streams';
import type { MlflowResponse } from './response-failure.js';

/** A page of a thousand runs, each with hundreds of parameters, has a few megabytes. */
export const largestResponse = 64 << 20;

/**
 * Sends a file as the body of a PUT. It is streamed as fast as the network takes it, so that memory does not grow with its
 * size.
 *
 * NOTE: this is the one request that does not use fetch: in Node 20, fetch reads the whole body, be it a stream or a Blob,
 * ahead of the socket (sending 1.5 GB held 1.5 GB in memory).
 */
export async function putFile(
  url: URL,
  o: {
    file: string;
    sizeBytes: number;
    headers: Record<string, string>;
    tls?: TlsOptions | undefined;
    signal: AbortSignal;
  },
): Promise<MlflowResponse> {
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    ...o.tls,
    method: 'PUT',
    headers: { ...o.headers, 'content-type': 'application/octet-stream', 'content-length': o.sizeBytes },
    signal: o.signal,
  });
  const response = new Promise<MlflowResponse>((resolve, reject) => {
    request.on('error', reject);
    request.once('response', (incoming) => {
      const headers = new Headers();
      for (const [name, values = []] of Object.entries(incoming.headersDistinct)) {
        for (const value of values) headers.append(name, value);
      }
      readBody(incoming, `PUT ${url.origin}${url.pathname}`, largestResponse).then(
        (body) => resolve({ status: incoming.statusCode ?? 0, headers, body: body.toString('utf8') }),
        reject,
      );
    });
  });
  // A refusal may arrive before the whole body is sent; it is more informative than the broken pipe that follows.
  // A log file may grow while it is sent, so at most the announced size is read.
  const sent = pipeline(readChunks(o.file, { atMost: o.sizeBytes }), request);
  const [received, body] = await Promise.allSettled([response, sent]);
  if (received.status === 'fulfilled') return received.value;
  throw body.status === 'rejected' ? body.reason : received.reason;
}
