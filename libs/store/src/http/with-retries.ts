import { setTimeout as sleep } from 'node:timers/promises';
import { networkFailure } from './network-failure.js';
import { RetryableError } from './retryable-error.js';

export interface RetryOptions {
  /** How many attempts in a row may fail without making progress; default 5. */
  attempts?: number | undefined;

  /** No attempt begins later than this after the first one, whatever Retry-After says. Default: no limit. */
  longestMs?: number | undefined;

  /** Mean delay after the first failure; it doubles with each further one. Default 500. */
  backoffMs?: number | undefined;

  /**
   * False for a request that must not take effect twice, such as a creation: it is repeated only when the server certainly
   * did not process it. Default true.
   */
  idempotent?: boolean | undefined;

  /** Measures what has been achieved so far, such as bytes on disk. An attempt that increased it restarts the count. */
  progress?: (() => Promise<number>) | undefined;

  /** Ends the retries with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Repeats an attempt until it succeeds, fails for good, or has failed too often in a row. Network failures and
 * {@link RetryableError} are retried, any other error is thrown at once.
 *
 * @throws RetryableError when the last attempt failed in a way that might pass later
 */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const {
    attempts = 5,
    backoffMs = 500,
    longestMs = Infinity,
    idempotent = true,
    progress = noProgress,
    signal,
  } = options;
  const begun = performance.now();
  let failures = 0;
  for (;;) {
    signal?.throwIfAborted();
    const before = await progress();
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      const failure = error instanceof RetryableError ? error : networkFailure(error);
      if (!failure) throw error;
      if (!idempotent && !failure.notProcessed) throw failure;
      failures = (await progress()) > before ? 1 : failures + 1;
      if (failures >= attempts) throw failure;
      const waitMs = failure.retryAfterMs ?? delayMs(failures, backoffMs);
      if (performance.now() - begun + waitMs > longestMs) throw failure;
      await sleep(waitMs, undefined, { signal }).catch(() => {
        signal?.throwIfAborted();
      });
    }
  }
}

const noProgress = (): Promise<number> => Promise.resolve(0);

const longestDelayMs = 15_000;

/** Exponential back-off with full jitter, so that clients that lost the same server do not return in step. */
const delayMs = (failures: number, backoffMs: number): number =>
  Math.random() * Math.min(longestDelayMs, backoffMs * 2 ** failures);
