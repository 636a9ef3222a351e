import { defineError } from '@nautil/contracts';
import { classifyResponse } from '../http/classify-response.js';
import { withIdleTimeout } from '../http/idle-timeout.js';
import { networkFetch } from '../http/network-fetch.js';
import { RetryableError } from '../http/retryable-error.js';
import { withRetries } from '../http/with-retries.js';

/** A download that did not finish. The bytes that arrived are kept, and the next download resumes from them. */
export class DownloadFailed extends defineError('DownloadFailed', 'environment') {
  override readonly retryable: boolean;

  /** Status of the server's last response; undefined when it did not respond. */
  readonly status: number | undefined;

  constructor(
    message: string,
    o: { retryable: boolean; status?: number | undefined; hint?: string | undefined; cause?: unknown },
  ) {
    super(message, { cause: o.cause, ...(o.hint === undefined ? {} : { hint: o.hint }) });
    this.retryable = o.retryable;
    this.status = o.status;
  }
}

export interface DownloadRequest {
  /** http or https. */
  url: string;

  headers?: Record<string, string> | undefined;

  /** How long the server may send nothing; default 30,000. */
  idleTimeoutMs?: number | undefined;

  /** How many attempts in a row may fail without bringing new bytes; default 5. */
  attempts?: number | undefined;

  /** Mean delay after the first failed attempt; doubles with each further one. Default 500. */
  backoffMs?: number | undefined;

  signal?: AbortSignal | undefined;
}

export const idleTimeoutOf = ({ idleTimeoutMs = 30_000, signal }: Partial<DownloadRequest>) => ({
  timeoutMs: idleTimeoutMs,
  signal,
});

/**
 * The version of the file at an address, without downloading it: the ETag, or else the time of the last change, with the
 * size. Undefined when the server sends neither.
 *
 * @throws DownloadFailed
 */
export async function versionAt(request: DownloadRequest): Promise<string | undefined> {
  const { url, headers, attempts } = request;
  requireHttp(url);
  const fetch = await networkFetch();
  const attempt = (): Promise<string | undefined> =>
    withIdleTimeout(idleTimeoutOf(request), async ({ signal }) => {
      // Not HEAD: addresses that are signed for GET refuse it.
      const response = await fetch(url, { headers: { ...headers, 'accept-encoding': 'identity' }, signal });
      await response.body?.cancel();
      if (!response.ok) throw responseFailure(url, response);
      const version = response.headers.get('etag') ?? response.headers.get('last-modified');
      return version === null ? undefined : `${version} ${response.headers.get('content-length') ?? ''}`.trimEnd();
    });
  return withRetries(attempt, request).catch((error: unknown) => {
    throw downloadFailure(error, url, attempts);
  });
}

/** @throws DownloadFailed */
export function requireHttp(url: string): void {
  if (!isHttp(url) || !URL.canParse(url)) {
    throw new DownloadFailed(`${url} is not an http or https address`, { retryable: false });
  }
  const { username, password } = new URL(url);
  if (username === '' && password === '') return;
  throw new DownloadFailed(`${url}: the user and password in the address cannot be sent`, {
    retryable: false,
    hint: 'download the file, and name the local file in place of the address',
  });
}

/** Whether a string is an address that `fetchFile` accepts. */
export const isHttp = (text: string): boolean => /^https?:\/\//i.test(text);

/** The error for a response that is not the file: retryable, or final. */
export function responseFailure(url: string, response: Response): RetryableError | DownloadFailed {
  const { status, statusText } = response;
  const message = `the server answered ${status} ${statusText}`.trimEnd();
  const hint =
    status === 404 || status === 410
      ? 'check the address'
      : status === 401 || status === 403
        ? 'the server requires a login, or denies access'
        : undefined;
  return (
    classifyResponse(response, message) ?? new DownloadFailed(`${url}: ${message}`, { retryable: false, status, hint })
  );
}

/** Turns the failure of the last attempt into a DownloadFailed; returns any other error as it is. */
export function downloadFailure(error: unknown, url: string, attempts = 5, hint?: string): unknown {
  if (!(error instanceof RetryableError)) return error;
  const message = `${url}: ${error.message}, ${attempts} times in a row`;
  return new DownloadFailed(message, { retryable: true, status: error.status, hint, cause: error.cause ?? error });
}
