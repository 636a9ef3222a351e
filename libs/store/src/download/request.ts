import { defineError, NautilError } from '@nautil/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNativeError } from 'node:util/types';
import { networkFetch, type Fetch } from '../http/network-fetch.js';

/** A download that did not come to its end; what came is kept, and the next one goes on from there. */
export class DownloadFailed extends defineError('DownloadFailed', 'environment') {
  /** What the server answered in place of the file; undefined when it did not answer. */
  readonly status: number | undefined;

  constructor(message: string, o: { retryable: boolean; status?: number; hint?: string | undefined; cause?: unknown }) {
    super(message, o);
    this.status = o.status;
  }
}

export interface RequestOptions {
  /** http or https. */
  url: string;

  headers?: Record<string, string>;

  /** How long the server may send nothing; default 30,000. */
  idleTimeoutMs?: number;

  /** How many attempts in a row may bring nothing new; default 5. */
  attempts?: number;

  /** Wait after the first failed attempt, doubled after each other; default 500. */
  backoffMs?: number;

  /** Default: Node's, through the proxy that the environment names. */
  fetch?: Fetch;

  signal?: AbortSignal | undefined;
}

/**
 * What a server says of a file before it is fetched: its version (the ETag, else the time of the last change, with the
 * size), undefined from a server that tells no versions apart. The body is not read.
 *
 * @throws DownloadFailed
 */
export async function versionAt(options: RequestOptions): Promise<string | undefined> {
  const { url, headers } = options;
  requireHttp(url);
  const fetch = options.fetch ?? (await networkFetch());
  return persistently(options, { done: () => Promise.resolve(0) }, async () => {
    const idle = new Silence(options);
    try {
      // Not HEAD: addresses that are signed for GET refuse it.
      const response = await fetch(url, {
        headers: { ...headers, 'accept-encoding': 'identity' },
        signal: idle.signal,
      });
      if (!response.ok) throw await refusal(url, response);
      await response.body?.cancel();
      const version = response.headers.get('etag') ?? response.headers.get('last-modified');
      return version === null ? undefined : `${version} ${response.headers.get('content-length') ?? ''}`.trimEnd();
    } catch (error) {
      throw idle.reason ?? error;
    } finally {
      idle.end();
    }
  });
}

/** @throws DownloadFailed */
export function requireHttp(url: string): void {
  if (!isHttp(url)) throw new DownloadFailed(`${url} is not an http or https address`, { retryable: false });
}

/** Whether a string is an address that `fetchFile` takes. */
export const isHttp = (text: string): boolean => /^https?:\/\//i.test(text);

export interface Persistence {
  /** Bytes that came so far: an attempt that brought some is no failure in a row. */
  done: () => Promise<number>;
  explain?: (error: unknown) => Promise<unknown>;
  kept?: (bytes: number) => string;
}

/** Tries until it works, is refused for good, or brings nothing new so many times in a row. */
export async function persistently<T>(
  { url, attempts = 5, backoffMs = 500, signal }: RequestOptions,
  { done, explain, kept }: Persistence,
  work: () => Promise<T>,
): Promise<T> {
  let fruitless = 0;
  for (;;) {
    signal?.throwIfAborted();
    const before = await done();
    try {
      return await work();
    } catch (thrown) {
      signal?.throwIfAborted();
      const error = explain ? await explain(thrown) : thrown;
      if (error instanceof NautilError && !(error instanceof DownloadFailed && error.retryable)) throw error;
      fruitless = (await done()) > before ? 1 : fruitless + 1;
      if (fruitless >= attempts) {
        if (error instanceof NautilError) throw error;
        throw new DownloadFailed(`${url}: ${reasonOf(error)}, ${attempts} times in a row`, {
          retryable: true,
          hint: kept?.(await done()),
          cause: error,
        });
      }
      const waitMs = Math.min(backoffMs * 2 ** (fruitless - 1), 15_000) * (0.75 + Math.random() / 2);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/** Gives up on a server that sends nothing for too long. */
export class Silence {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor({ idleTimeoutMs = 30_000, signal }: RequestOptions) {
    this.#timeoutMs = idleTimeoutMs;
    this.signal = signal ? AbortSignal.any([signal, this.#controller.signal]) : this.#controller.signal;
    this.heard();
  }

  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`the server sent nothing for ${this.#timeoutMs / 1000} s`)),
      this.#timeoutMs,
    );
  }

  /** Set when the silence was too long. */
  get reason(): Error | undefined {
    return this.#controller.signal.reason as Error | undefined;
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** The error of an answer that is no file. */
export async function refusal(url: string, response: Response): Promise<Error> {
  await response.body?.cancel();
  const { status, statusText } = response;
  const passing = status === 408 || status === 429 || status >= 500;
  if (status === 429) await sleep(Math.min(Number(response.headers.get('retry-after')) || 0, 30) * 1000);
  const hint =
    status === 404 || status === 410
      ? 'check the address'
      : status === 401 || status === 403
        ? 'the server wants to know who asks, or does not let you have it'
        : undefined;
  return new DownloadFailed(`${url}: the server answered ${status} ${statusText}`.trimEnd(), {
    retryable: passing,
    status,
    hint,
  });
}

/** Node says "fetch failed" and puts what happened into the cause. */
export function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let at: unknown = error; isNativeError(at); at = at.cause) {
    // Of an address with several IPs, Node gives one error without a message that holds the others.
    const code = 'code' in at ? String(at.code) : at.name;
    reasons.push(at.message || code);
  }
  return [...new Set(reasons)].join(': ');
}
