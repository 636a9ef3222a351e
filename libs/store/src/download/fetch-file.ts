import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Type } from '@sinclair/typebox';
import { defineError, type FileRef } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { fileRef, sha256Of } from '../digest.js';
import { explainWriteError, formatBytes } from '../disk-full.js';
import { createFolder, fileMode } from '../folders/create-folder.js';
import { nautilHome } from '../folders/package-root.js';
import { syncFolder } from '../folders/sync-folder.js';
import { withIdleTimeout } from '../http/idle-timeout.js';
import { type Fetch, networkFetch } from '../http/network-fetch.js';
import { RetryableError } from '../http/retryable-error.js';
import { withRetries } from '../http/with-retries.js';
import { isOfThisBoot, thisProcess } from '../process/process-identity.js';
import { withLock } from '../with-lock.js';
import { writeFileAtomic } from '../write-file-atomic.js';
import {
  DownloadFailed,
  downloadFailure,
  type DownloadRequest,
  idleTimeoutOf,
  requireHttp,
  responseFailure,
} from './download-request.js';

/** A downloaded file does not have the expected content; nothing of it was kept. */
export class ChecksumMismatch extends defineError('ChecksumMismatch', 'data') {}

export interface FetchOptions extends DownloadRequest {
  /** The file to write. */
  to: string;

  /** Lower-case hex. Without it, the content is not verified. */
  sha256?: string | undefined;

  /** Another check of the whole file: resolves to what is wrong with it, or to undefined. */
  verify?: ((path: string) => Promise<string | undefined>) | undefined;

  /** Default: no limit. */
  maxBytes?: number | undefined;

  onProgress?: ((doneBytes: number, totalBytes: number | undefined) => void) | undefined;

  /** Default: {@link networkFetch}. */
  fetch?: Fetch | undefined;

  /** State folder that holds the locks; default nautilHome(). */
  home?: string | undefined;
}

/**
 * Downloads a file completely or not at all. An interrupted download leaves `<to>.incomplete`, from which the next one
 * resumes, also in another process, as long as the server still has the same file (If-Range). A file that already has the
 * right digest is not downloaded again. When two calls download the same file at once, one works and the other waits.
 *
 * @example
 * await fetchFile({ url: 'https://example.org/reviews.tar.gz', to: 'reviews.tar.gz', sha256: '9f86d0…' });
 * @throws DownloadFailed, ChecksumMismatch, DiskFull
 */
export async function fetchFile(options: FetchOptions): Promise<FileRef> {
  const { url, home = nautilHome(), signal } = options;
  const to = resolve(options.to);
  requireHttp(url);
  const before = await identityOf(to);
  return withLock(
    join(home, 'locks', 'downloads', sha256Of(to).slice(0, 32)),
    async () => (await existing(to, options, before)) ?? (await download({ ...options, to })),
    { timeoutMs: Infinity, signal },
  );
}

/** The file, when it needs no download: its digest is right, or another process fetched it while we waited for the lock. */
async function existing(to: string, { sha256 }: FetchOptions, before?: string): Promise<FileRef | undefined> {
  const found = await identityOf(to);
  if (found === undefined || (sha256 === undefined && found === before)) return undefined;
  const ref = await fileRef(to);
  return sha256 === undefined || ref.sha256 === sha256 ? ref : undefined;
}

/** Changes when a file is replaced; undefined when there is none. */
async function identityOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.ino} ${found.ctimeNs}`;
}

/** What we know about the file on the server; stored beside the incomplete file. */
const parseOrigin = jsonParser(
  Type.Object({
    /** Digest of the address, which may be signed. */
    urlDigest: Type.String(),

    /** A strong ETag, or the time of the last change: the value for If-Range. */
    validator: Type.Optional(Type.String()),

    totalBytes: Type.Optional(Type.Number()),

    /** The process that wrote the incomplete file last, and how many bytes it had synced. After a power cut, the rest may be zeros. */
    writer: Type.Optional(Type.String()),
    syncedBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
);

type Origin = ReturnType<typeof parseOrigin>;

/** After this many bytes, a download is synced, so that a power cut loses no more. */
const syncEveryBytes = 64 << 20;

async function download(options: FetchOptions): Promise<FileRef> {
  const { url, to, sha256, attempts } = options;
  const incomplete = `${to}.incomplete`;
  const fetch = options.fetch ?? (await networkFetch());
  await createFolder(dirname(to));
  try {
    await withRetries(() => downloadOnce(incomplete, fetch, options), {
      ...options,
      progress: () => sizeOf(incomplete),
    });
  } catch (error) {
    const kept = formatBytes(await sizeOf(incomplete));
    const failure = downloadFailure(error, url, attempts, `${kept} are kept; the next attempt resumes from there`);
    throw await explainWriteError(failure, to, `the first ${kept} are kept`);
  }

  const ref = await fileRef(incomplete);
  const wrong =
    sha256 !== undefined && ref.sha256 !== sha256
      ? `its SHA-256 is ${ref.sha256}, expected ${sha256}`
      : await options.verify?.(incomplete);
  await rm(originFile(incomplete), { force: true });
  if (wrong !== undefined) {
    await rm(incomplete);
    throw new ChecksumMismatch(`${url}: ${wrong}`, {
      hint: 'the file has changed on the server or on the way; nothing was kept',
    });
  }
  await rename(incomplete, to);
  await syncFolder(dirname(to));
  return { ...ref, path: to };
}

const originFile = (incomplete: string): string => `${incomplete}.json`;

/** Makes one request; returns when the incomplete file holds the whole content. */
async function downloadOnce(incomplete: string, fetch: Fetch, options: FetchOptions): Promise<void> {
  const { url, maxBytes, onProgress } = options;
  const origin = await readOrigin(incomplete);
  const have =
    origin?.urlDigest === sha256Of(url) && origin.validator !== undefined ? await soundBytes(incomplete, origin) : 0;

  await withIdleTimeout(idleTimeoutOf(options), async (idle) => {
    const response = await fetch(url, {
      headers: {
        ...options.headers,
        'accept-encoding': 'identity', // the bytes that we count must be those of the file
        ...(have > 0 ? { range: `bytes=${have}-`, 'if-range': origin?.validator ?? '' } : {}),
      },
      signal: idle.signal,
    });
    if (response.status === 416 && have > 0) {
      await response.body?.cancel();
      if (have === origin?.totalBytes) return;
      await rm(incomplete, { force: true });
      throw new RetryableError('the file on the server is shorter than the part that was downloaded; starting over');
    }
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw responseFailure(url, response);
    }
    const resumed = response.status === 206 && rangeStart(response) === have;
    if (response.status === 206 && !resumed) {
      await response.body.cancel();
      await rm(incomplete, { force: true });
      throw new RetryableError('the server sent another range than the requested one; starting over');
    }
    const start = resumed ? have : 0;
    const totalBytes = totalOf(response, start);
    if (maxBytes !== undefined && (totalBytes ?? 0) > maxBytes) throw tooLarge(url, maxBytes);
    const known = { urlDigest: sha256Of(url), validator: validatorOf(response), totalBytes, writer: thisProcess };
    const record = (syncedBytes: number): Promise<void> =>
      writeFileAtomic(originFile(incomplete), JSON.stringify({ ...known, syncedBytes }));

    // Before the record, which would otherwise claim that earlier bytes are those of this response.
    const file = await open(incomplete, resumed ? 'a' : 'w', fileMode(incomplete));
    let done = start;
    let synced = start;
    const sync = async (): Promise<void> => {
      await file.sync();
      await record((synced = done));
    };
    try {
      await record(start);
      onProgress?.(done, totalBytes);
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        idle.restart();
        if (maxBytes !== undefined && done + chunk.length > maxBytes) throw tooLarge(url, maxBytes);
        await file.writeFile(chunk);
        done += chunk.length;
        if (done - synced >= syncEveryBytes) await sync();
        onProgress?.(done, totalBytes);
      }
      await sync();
    } catch (error) {
      await sync().catch(() => undefined); // The first error is reported. What is not synced is at worst downloaded again.
      throw error;
    } finally {
      await file.close();
    }
    if (totalBytes !== undefined && done !== totalBytes) {
      throw new RetryableError(`the connection ended after ${done} of ${totalBytes} bytes`);
    }
  });
}

/**
 * The number of bytes that an earlier download left, without those that a power cut may have damaged, which are removed. The
 * bytes that are kept are synced.
 */
async function soundBytes(incomplete: string, { writer = '', syncedBytes = 0 }: Origin): Promise<number> {
  const size = await sizeOf(incomplete);
  const sound = isOfThisBoot(writer) ? size : Math.min(size, syncedBytes);
  if (size === 0) return 0;
  const file = await open(incomplete, 'r+');
  try {
    if (sound < size) await file.truncate(sound);
    await file.sync();
  } finally {
    await file.close();
  }
  return sound;
}

const tooLarge = (url: string, maxBytes: number): DownloadFailed =>
  new DownloadFailed(`${url} is larger than the allowed ${formatBytes(maxBytes)}`, { retryable: false });

function totalOf(response: Response, start: number): number | undefined {
  const range = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  if (range) return Number(range[1]);
  const length = response.headers.get('content-length');
  // Some servers compress although we forbid it; then Content-Length counts other bytes than we do.
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
    return parseOrigin(await readFile(originFile(incomplete), 'utf8'), originFile(incomplete));
  } catch {
    return undefined; // missing or damaged: the download starts over
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => ({ size: 0 }))).size;
