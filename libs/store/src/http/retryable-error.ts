/** An attempt failed, and the same request may succeed later. {@link withRetries} catches it. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError';

  /** True when the server certainly did not process the request, so that even a creation may be sent again. */
  readonly notProcessed: boolean;

  /** The delay that the server asked for with Retry-After. */
  readonly retryAfterMs: number | undefined;

  /** HTTP status; undefined when there was no response. */
  readonly status: number | undefined;

  constructor(
    message: string,
    o: {
      notProcessed?: boolean;
      retryAfterMs?: number | undefined;
      status?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, o.cause === undefined ? undefined : { cause: o.cause });
    this.notProcessed = o.notProcessed ?? false;
    this.retryAfterMs = o.retryAfterMs;
    this.status = o.status;
  }
}
