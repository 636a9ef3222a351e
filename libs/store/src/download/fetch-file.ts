import { defineError, type FileRef } from '@nautil/contracts';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileRef, sha256Of } from '../digest.js';
import { explainWriteError, formatBytes } from '../disk-full.js';
import { networkFetch, type Fetch } from '../http/network-fetch.js';
import { DownloadFailed, persistently, refusal, requireHttp, Silence, type RequestOptions } from './request.js';
import { withLock } from '../with-lock.js';
import { nautilHome } from '../package-root.js';
import { syncFolder, writeFileAtomic } from '../write-file-atomic.js';

/** A download whose content is not what was promised; nothing of it was kept. */
export class ChecksumMismatch extends defineError('ChecksumMismatch', 'data') {}

export interface FetchOptions extends RequestOptions {
  /** The file to make. */
  to: string;

  /** Lower-case hex. Without it the file is as good as the connection. */
  sha256?: string | undefined;

  /** Another check of the whole file: resolves to what is wrong with it, or to undefined. */
  verify?: (path: string) => Promise<string | undefined>;

  /** Default: none. */
  maxBytes?: number;

  onProgress?: (doneBytes: number, totalBytes: number | undefined) => void;
}

/**
 * Downloads a file whole or not at all. What was cut off lies in `<to>.incomplete` and is gone on with, also by another process, if
 * the server still has the same file (If-Range). A file that is there already with the right digest is not asked for
 * again. Of two downloads of one file at once, one works and the other waits for it.
 *
 * @example
 * await fetchFile({ url: 'https://example.org/reviews.tar.gz', to: 'reviews.tar.gz', sha256: '9f86d0…' });
 * @throws DownloadFailed, ChecksumMismatch, DiskFull
 */
export async function fetchFile(options: FetchOptions): Promise<FileRef> {
  const to = resolve(options.to);
  requireHttp(options.url);
  const begin = Date.now();
  return withLock(
    join(nautilHome(), 'locks', 'downloads', sha256Of(to).slice(0, 32)),
    async () => (await existing(to, options, begin)) ?? (await download({ ...options, to })),
    { timeoutMs: Infinity, signal: options.signal },
  );
}

/** The file when it needs no download: its digest is right, or somebody else brought it while we waited for the lock. */
async function existing(to: string, { sha256 }: FetchOptions, begin: number): Promise<FileRef | undefined> {
  const there = await stat(to).catch(() => undefined);
  if (!there || (sha256 === undefined && there.mtimeMs < begin)) return undefined;
  const ref = await fileRef(to);
  return sha256 === undefined || ref.sha256 === sha256 ? ref : undefined;
}

/** What is known of the file on the server, kept beside the incomplete one. */
interface Origin {
  url: string;

  /** A strong ETag, or the time of the last change: what If-Range takes. */
  validator?: string;

  totalBytes?: number;
}

async function download(options: FetchOptions): Promise<FileRef> {
  const { url, to, sha256 } = options;
  const incomplete = `${to}.incomplete`;
  const fetch = options.fetch ?? (await networkFetch());
  await mkdir(dirname(to), { recursive: true });
  await persistently(
    options,
    {
      done: () => sizeOf(incomplete),
      explain: async (error) =>
        explainWriteError(error, to, `what came (${formatBytes(await sizeOf(incomplete))}) is kept`),
      kept: (bytes) => `${formatBytes(bytes)} came and are kept; the next try goes on from there`,
    },
    () => attempt(incomplete, fetch, options),
  );

  const ref = await fileRef(incomplete);
  const wrong =
    sha256 !== undefined && ref.sha256 !== sha256
      ? `its SHA-256 is ${ref.sha256}, and ${sha256} was expected`
      : await options.verify?.(incomplete);
  await rm(originFile(incomplete), { force: true });
  if (wrong !== undefined) {
    await rm(incomplete);
    throw new ChecksumMismatch(`${url}: ${wrong}`, {
      hint: 'the file on the server has changed, or something between changed it; nothing was kept',
    });
  }
  await rename(incomplete, to);
  await syncFolder(dirname(to));
  return { ...ref, path: to };
}

const originFile = (incomplete: string): string => `${incomplete}.json`;

/** One request; returns when the incomplete file is whole. */
async function attempt(incomplete: string, fetch: Fetch, options: FetchOptions): Promise<void> {
  const { url, maxBytes, onProgress } = options;
  const origin = await readOrigin(incomplete);
  const have = origin?.url === url && origin.validator !== undefined ? await sizeOf(incomplete) : 0;

  const idle = new Silence(options);
  try {
    const response = await fetch(url, {
      headers: {
        ...options.headers,
        'accept-encoding': 'identity', // counted bytes must be the file's
        ...(have > 0 ? { range: `bytes=${have}-`, 'if-range': origin?.validator ?? '' } : {}),
      },
      signal: idle.signal,
    });
    if (response.status === 416 && have > 0) {
      await response.body?.cancel();
      if (have === origin?.totalBytes) return;
      await rm(incomplete, { force: true });
      throw new Error('the server has fewer bytes than came before; starting over');
    }
    if (!response.ok || !response.body) throw await refusal(url, response);

    const continued = response.status === 206 && rangeStart(response) === have;
    if (response.status === 206 && !continued) {
      await response.body.cancel();
      await rm(incomplete, { force: true });
      throw new Error('the server answered with another range than was asked for; starting over');
    }
    const start = continued ? have : 0;
    const totalBytes = totalOf(response, start);
    if (maxBytes !== undefined && (totalBytes ?? 0) > maxBytes) throw tooLarge(url, maxBytes);
    await writeFileAtomic(
      originFile(incomplete),
      JSON.stringify({ url, validator: validatorOf(response), totalBytes }),
    );

    const file = await open(incomplete, continued ? 'a' : 'w');
    let done = start;
    try {
      onProgress?.(done, totalBytes);
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        idle.heard();
        if (maxBytes !== undefined && done + chunk.length > maxBytes) throw tooLarge(url, maxBytes);
        await file.writeFile(chunk);
        done += chunk.length;
        onProgress?.(done, totalBytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (totalBytes !== undefined && done !== totalBytes)
      throw new Error(`the connection ended after ${done} of ${totalBytes} bytes`);
  } catch (error) {
    throw idle.reason ?? error;
  } finally {
    idle.end();
  }
}

const tooLarge = (url: string, maxBytes: number): DownloadFailed =>
  new DownloadFailed(`${url} is larger than the ${formatBytes(maxBytes)} that were allowed`, { retryable: false });

function totalOf(response: Response, start: number): number | undefined {
  const range = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  if (range) return Number(range[1]);
  const length = response.headers.get('content-length');
  // A server that compresses although it was asked not to counts other bytes than we do.
  const encoded = (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
  return length === null || encoded ? undefined : start + Number(length);
}

const rangeStart = (response: Response): number =>
  Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? NaN);

function validatorOf(response: Response): string | undefined {
  const etag = response.headers.get('etag');
  if (etag && !etag.startsWith('W/')) return etag;
  return response.headers.get('last-modified') ?? undefined;
}

async function readOrigin(incomplete: string): Promise<Origin | undefined> {
  try {
    return JSON.parse(await readFile(originFile(incomplete), 'utf8')) as Origin;
  } catch {
    return undefined;
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => ({ size: 0 }))).size;
