import { RetryableError } from './retryable-error.js';

const longestRetryAfterMs = 30_000;

/**
 * The failure that a response stands for when the server may accept the same request later: 408, 429 and 5xx. Undefined for
 * a final response, be it a success or a refusal.
 */
export function classifyResponse(
  { status, headers }: Pick<Response, 'status' | 'headers'>,
  message: string,
): RetryableError | undefined {
  if (status !== 408 && status !== 429 && status < 500) return undefined;
  // With both statuses, the server rejected the request before processing it.
  const notProcessed = status === 429 || status === 503;
  return new RetryableError(message, {
    status,
    notProcessed,
    retryAfterMs: notProcessed ? retryAfterMs(headers) : undefined,
  });
}

function retryAfterMs(headers: Headers): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, longestRetryAfterMs) : undefined;
}
