import { stat } from 'node:fs/promises';
import { Type } from '@sinclair/typebox';
import { type JsonParser, jsonParser } from '@nautil/contracts/schemas';
import { Semaphore } from '@nautil/store';
import {
  fetchWithTls,
  mlflowTls,
  readBody,
  RetryableError,
  type TlsOptions,
  withIdleTimeout,
  withRetries,
} from '@nautil/store/http';
import { MlflowError, MlflowUnavailable } from './errors.js';
import { largestResponse, putFile } from './put-file.js';
import { type MlflowResponse, responseFailure } from './response-failure.js';
import { readTrackingAddress } from './tracking-address.js';

export interface ClientOptions {
  /** Address of the server, such as `http://127.0.0.1:5000`; default env MLFLOW_TRACKING_URI. */
  trackingUri?: string | undefined;

  /** The server that alone gets the credentials of the environment, by its origin; default env MLFLOW_TRACKING_URI. */
  ownServer?: string | undefined;

  /** How long one attempt may take, in milliseconds; default 30,000. An upload gets a second more per megabyte. */
  timeoutMs?: number | undefined;

  /** How many times a request is sent before it fails; default 4. */
  attempts?: number | undefined;

  /** Used for all requests except uploads of files; default: the global fetch. */
  fetch?: typeof fetch | undefined;

  /** Ends all requests with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface RequestOptions {
  query?: Record<string, string | number | undefined>;

  /** The body: JSON, a text, or the content of a local file. At most one of them. */
  json?: unknown;
  text?: string;
  file?: string;

  /** False for a creation, which is sent again only when the server certainly did not process it. Default true. */
  idempotent?: boolean;
}

/** The last attempt begins at most this many timeouts after the first, so that a request ends after two and a half. */
const retryFactor = 1.5;

/**
 * More requests at once exhaust the connection pool of MLflow's SQLite store: of 60 parallel writes 36 failed. The limit
 * belongs to the server, so all clients of this process share it.
 */
const maxRequestsInFlight = 2;
const semaphores = new Map<string, Semaphore>();

/** Parses the response of a request that returns nothing. */
export const noContent = jsonParser(Type.Object({}));

/**
 * An MLflow server. The functions beside this file (`createRun`, `logBatch`, …) each make one kind of request with it.
 * All of them throw MlflowError when the server refuses, and MlflowUnavailable when the same call may succeed later;
 * requests that can be repeated without harm have been retried by then.
 *
 * @example
 * const client = new MlflowClient({ trackingUri: 'http://127.0.0.1:5000' });
 * const experimentId = await createExperiment(client, 'TextClassification');
 * const { info } = await createRun(client, { experimentId, runName: 'first' });
 * await logBatch(client, info.runId, { params: { lr: '1e-4' } });
 * await updateRun(client, info.runId, { status: 'FINISHED', endTime: Date.now() });
 */
export class MlflowClient {
  readonly trackingUri: string;

  /** True for the server that the environment of this process names, and not, for example, the configuration of a run. */
  readonly isOwn: boolean;
  readonly #options: ClientOptions;
  readonly #headers: Record<string, string>;
  readonly #semaphore: Semaphore;

  /** Only for the process's own server: the others' certificates are checked by the public authorities. */
  readonly #tls: TlsOptions | undefined;
  #tlsFetch: Promise<typeof fetch> | undefined;

  constructor(options: ClientOptions = {}) {
    const { trackingUri, authorization, isOwn } = readTrackingAddress(options.trackingUri, options.ownServer);
    this.trackingUri = trackingUri;
    this.isOwn = isOwn;
    this.#options = options;
    this.#headers = authorization === undefined ? {} : { authorization };
    this.#semaphore = semaphores.get(trackingUri) ?? new Semaphore(maxRequestsInFlight);
    semaphores.set(trackingUri, this.#semaphore);
    this.#tls = isOwn && trackingUri.startsWith('https:') ? mlflowTls() : undefined;
  }

  /** A client of the same server whose requests end when the signal aborts. */
  until(signal: AbortSignal): MlflowClient {
    return new MlflowClient({ ...this.#options, signal });
  }

  /** Calls an endpoint under `/api/2.0/mlflow/` and returns its parsed response. Errors as {@link send}. */
  async call<T>(
    method: 'GET' | 'POST',
    endpoint: string,
    parse: JsonParser<T>,
    options: RequestOptions = {},
  ): Promise<T> {
    const { status, body } = await this.send(method, `/api/2.0/mlflow/${endpoint}`, options);
    try {
      return parse(body || '{}', `the response to ${method} ${endpoint}`);
    } catch (error) {
      throw new MlflowError(`MLflow at ${this.trackingUri}: ${(error as Error).message}`, {
        status,
        endpoint: `${method} ${endpoint}`,
        hint: 'the server at this address may not be MLflow; check MLFLOW_TRACKING_URI',
        cause: error,
      });
    }
  }

  /**
   * Sends a request, with retries, and returns the successful response.
   *
   * @throws MlflowError when the server refuses, MlflowUnavailable when the request may succeed later
   */
  async send(method: string, path: string, options: RequestOptions = {}): Promise<MlflowResponse> {
    const { attempts = 4, signal } = this.#options;
    const endpoint = `${method} ${path.replace(/^\/api\/2\.0\/(mlflow\/)?/, '')}`;
    const url = this.#url(path, options.query);
    const attempt = async (): Promise<MlflowResponse> => {
      const release = await this.#semaphore.acquire(signal);
      try {
        const response = await this.#exchange(method, url, options);
        if (response.status >= 300) throw responseFailure(response, endpoint, this.trackingUri);
        return response;
      } finally {
        release();
      }
    };
    try {
      const longestMs = retryFactor * (await this.#timeoutMs(options.file));
      return await withRetries(attempt, {
        attempts,
        backoffMs: 200,
        longestMs,
        idempotent: options.idempotent,
        signal,
      });
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      throw new MlflowUnavailable(`MLflow at ${this.trackingUri}: ${endpoint} failed: ${error.message}`, {
        hint: '`npx nautil status` shows whether the server is running, `npx nautil up` starts it',
        cause: error.cause ?? error,
      });
    }
  }

  async #exchange(method: string, url: URL, { file, text, json }: RequestOptions): Promise<MlflowResponse> {
    const { signal } = this.#options;
    // The timeout is never restarted: a server that sends a byte now and then does not extend it.
    const timeoutMs = await this.#timeoutMs(file);
    if (file !== undefined) {
      const sizeBytes = (await stat(file)).size;
      return withIdleTimeout({ timeoutMs, signal }, (idle) =>
        putFile(url, { file, sizeBytes, headers: this.#headers, tls: this.#tls, signal: idle.signal }),
      );
    }
    const send = this.#options.fetch ?? (await this.#fetch());
    return withIdleTimeout({ timeoutMs, signal }, async (idle) => {
      const response = await send(url, {
        method,
        headers: json === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' },
        body: json === undefined ? (text ?? null) : JSON.stringify(json),
        signal: idle.signal,
      });
      const body = await readBody(response.body, `${method} ${this.trackingUri}${url.pathname}`, largestResponse);
      return { status: response.status, headers: response.headers, body: body.toString('utf8') };
    });
  }

  #fetch(): Promise<typeof fetch> | typeof fetch {
    if (this.#tls === undefined) return fetch;
    return (this.#tlsFetch ??= fetchWithTls(this.#tls, new URL(this.trackingUri).origin));
  }

  async #timeoutMs(file: string | undefined): Promise<number> {
    const { timeoutMs = 30_000 } = this.#options;
    return timeoutMs + (file === undefined ? 0 : (await stat(file)).size / 1000);
  }

  #url(path: string, query: RequestOptions['query'] = {}): URL {
    const url = new URL(this.trackingUri + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.append(name, String(value));
    }
    return url;
  }
}
