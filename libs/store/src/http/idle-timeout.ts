import { RetryableError } from './retryable-error.js';

/** Aborts a request when its server has sent nothing for a while, or when the caller's signal does. */
export class IdleTimeout {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  readonly #outer: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined }) {
    this.#timeoutMs = timeoutMs;
    this.#outer = signal;
    // NOTE: not AbortSignal.any: in Node 20 the long-lived signal keeps each of its dependants in memory.
    signal?.addEventListener('abort', this.#abortWithOuter);
    if (signal?.aborted) this.#abortWithOuter();
    this.restart();
  }

  /** For the request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Call it when bytes have arrived. */
  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const seconds = Math.round(this.#timeoutMs / 100) / 10;
      this.#controller.abort(new RetryableError(`the server sent nothing for ${seconds} s`));
    }, this.#timeoutMs);
  }

  /** Call it when the request has ended. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#abortWithOuter);
  }

  readonly #abortWithOuter = (): void => {
    this.#controller.abort(this.#outer?.reason);
  };
}

/**
 * Makes one request under an {@link IdleTimeout}.
 *
 * @throws RetryableError when the server was silent for too long, the signal's reason when the caller aborted
 */
export async function withIdleTimeout<T>(
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
  request: (idle: IdleTimeout) => Promise<T>,
): Promise<T> {
  const idle = new IdleTimeout(options);
  try {
    return await request(idle);
  } catch (error) {
    idle.signal.throwIfAborted(); // whatever fetch made of the abort, its reason is what happened
    throw error;
  } finally {
    idle.clear();
  }
}
