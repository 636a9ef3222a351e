import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MlflowError, MlflowUnavailable } from './errors.js';
import { putFile } from './put-file.js';
import { judgeAnswer, judgeFailure, retryDelayMs, type Answer } from './retry-policy.js';
import { Semaphore } from './semaphore.js';
import { readTrackingAddress } from './tracking-address.js';

export interface ConnectionOptions {
  /** Address of the server, such as `http://127.0.0.1:5000`; default env MLFLOW_TRACKING_URI. */
  trackingUri?: string | undefined;

  /** Bearer token; default as MLflow's own clients take it from the environment. */
  token?: string;

  /** Milliseconds that one attempt may take; default 30,000. An upload gets a second more per megabyte. */
  timeoutMs?: number;

  /** How often a request is sent in all before it is given up; default 4. */
  attempts?: number;

  /** Used for everything but uploads of files; default the global one. */
  fetch?: typeof fetch;

  /** Ends whatever is under way, with the signal's reason. */
  signal?: AbortSignal;
}

export interface RequestOptions {
  query?: Record<string, string | number | readonly string[] | undefined>;

  /** Body as JSON, as text, or as the content of a local file; one of them at most. */
  json?: unknown;
  text?: string;
  file?: string;

  /** False for a creation, which is sent again only when the server certainly did nothing. Default true. */
  idempotent?: boolean;
}

/**
 * More at once make MLflow's SQLite pool overflow: of 60 parallel writes 36 failed. The limit belongs to the server, so
 * all clients of a process share it.
 */
const requestsInFlight = 2;
const slotsByServer = new Map<string, Semaphore>();

/** HTTP to one MLflow server: two requests in flight, time-outs, retries, authentication, and errors that say what to do. */
export class RestConnection {
  readonly trackingUri: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;
  readonly #attempts: number;
  readonly #signal: AbortSignal | undefined;
  readonly #slots: Semaphore;

  constructor(o: ConnectionOptions = {}) {
    const { trackingUri, authorization } = readTrackingAddress(o.trackingUri, o.token);
    this.trackingUri = trackingUri;
    this.#headers = authorization ? { authorization } : {};
    this.#fetch = o.fetch ?? fetch;
    this.#timeoutMs = o.timeoutMs ?? 30_000;
    this.#attempts = o.attempts ?? 4;
    this.#signal = o.signal;
    this.#slots = slotsByServer.get(trackingUri) ?? new Semaphore(requestsInFlight);
    slotsByServer.set(trackingUri, this.#slots);
  }

  /** Calls an endpoint under `/api/2.0/mlflow/` and returns its parsed JSON. Errors as {@link send}. */
  async call<T>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, o: RequestOptions = {}): Promise<T> {
    const { status, headers, body } = await this.send(method, `/api/2.0/mlflow/${path}`, o);
    try {
      return JSON.parse(body || '{}') as T;
    } catch {
      const endpoint = `${method} ${path}`;
      throw new MlflowError(`${this.trackingUri} answered ${endpoint} with ${headers.get('content-type')}, not JSON`, {
        status,
        endpoint,
        hint: 'something else than MLflow answers there; check MLFLOW_TRACKING_URI',
      });
    }
  }

  /**
   * Sends a request until it is answered.
   *
   * @throws MlflowError when it is refused for good, MlflowUnavailable when it may succeed later
   */
  async send(method: string, path: string, o: RequestOptions = {}): Promise<Answer> {
    const { answer } = await this.#persist(method, path, o, async (url) => {
      const answer = await this.#exchange(method, url, o);
      return { answer, ok: answer.status < 300 };
    });
    return answer;
  }

  /** Opens a body to be read at the caller's pace. Errors as {@link send}. */
  async open(path: string, o: RequestOptions = {}): Promise<Response> {
    const { response } = await this.#persist('GET', path, o, async (url) => {
      return this.#within(this.#timeoutMs, async (signal) => {
        const response = await this.#fetch(url, { headers: this.#headers, signal });
        const { ok, status, headers } = response;
        return { response, ok, answer: { status, headers, body: ok ? '' : await response.text() } };
      });
    });
    return response;
  }

  async #persist<T extends { ok: boolean; answer: Answer }>(
    method: string,
    path: string,
    o: RequestOptions,
    attemptOnce: (url: URL) => Promise<T>,
  ): Promise<T> {
    const endpoint = `${method} ${path.replace(/^\/api\/2\.0\/(mlflow\/)?/, '')}`;
    const url = this.#url(path, o.query);
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#slots
        .run(() => attemptOnce(url))
        .catch((error: unknown) => {
          this.#signal?.throwIfAborted();
          const setback = judgeFailure(error);
          if (setback) return setback;
          throw error;
        });
      if ('ok' in outcome && outcome.ok) return outcome;
      const setback = 'ok' in outcome ? judgeAnswer(outcome.answer, endpoint, this.trackingUri) : outcome;
      if (setback instanceof MlflowError) throw setback;
      if (attempt >= this.#attempts || (o.idempotent === false && !setback.untouched)) {
        throw new MlflowUnavailable(`MLflow at ${this.trackingUri} did not do ${endpoint}: ${setback.reason}`, {
          hint: '`nautil status` tells whether it runs, `nautil up` starts it',
          cause: setback.cause,
        });
      }
      await sleep(setback.waitMs ?? retryDelayMs(attempt), undefined, { signal: this.#signal });
    }
  }

  async #exchange(method: string, url: URL, { file, text, json }: RequestOptions): Promise<Answer> {
    if (file !== undefined) {
      const sizeBytes = (await stat(file)).size;
      return this.#within(this.#timeoutMs + sizeBytes / 1000, (signal) =>
        putFile(url, { file, sizeBytes, headers: this.#headers, signal }),
      );
    }
    return this.#within(this.#timeoutMs, async (signal) => {
      const response = await this.#fetch(url, {
        method,
        headers: json === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' },
        body: json === undefined ? (text ?? null) : JSON.stringify(json),
        signal,
      });
      return { status: response.status, headers: response.headers, body: await response.text() };
    });
  }

  /** NOTE: no AbortSignal.any: in Node 20 each one stays with the long-lived signal that it was made of. */
  async #within<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#signal?.throwIfAborted();
    const request = new AbortController();
    const stop = (): void => request.abort(this.#signal?.reason);
    const late = new DOMException(`no answer within ${Math.round(timeoutMs / 1000)} s`, 'TimeoutError');
    const timer = setTimeout(() => request.abort(late), timeoutMs);
    this.#signal?.addEventListener('abort', stop);
    try {
      return await work(request.signal);
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener('abort', stop);
    }
  }

  #url(path: string, query: RequestOptions['query'] = {}): URL {
    const url = new URL(this.trackingUri + path);
    for (const [name, value] of Object.entries(query)) {
      for (const one of [value ?? []].flat()) url.searchParams.append(name, String(one));
    }
    return url;
  }
}
