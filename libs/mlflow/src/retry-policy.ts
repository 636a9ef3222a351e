import { MlflowError } from './errors.js';

/** A whole HTTP answer. */
export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

/** Why one attempt failed in a way that another may not. */
export interface Setback {
  reason: string;

  /** True when the server certainly did nothing, so that even a creation can be sent again. */
  untouched: boolean;

  /** As the server asked in Retry-After. */
  waitMs?: number;

  cause?: unknown;
}

/** The server's state, not the request, is at fault: SQLite's pool ran dry or its file was locked for too long. */
const crowded = /QueuePool limit|database is locked/;

/**
 * What an unsuccessful answer means: a setback, or the error of a request that is refused for good.
 *
 * NOTE: MLflow reports a dry connection pool as 400, and a proxy or the host check answers in plain text.
 */
export function judgeAnswer(answer: Answer, endpoint: string, trackingUri: string): Setback | MlflowError {
  const { status, headers, body } = answer;
  const { errorCode, message } = readRefusal(body);
  if (crowded.test(body)) return { reason: `${status} ${message}`, untouched: true };
  if (status === 429 || status === 503) {
    return { reason: `${status} ${message}`, untouched: true, ...retryAfter(headers) };
  }
  if (status === 408 || status >= 500) return { reason: `${status} ${message}`, untouched: false };
  return new MlflowError(`MLflow at ${trackingUri} refused ${endpoint}: ${status} ${message}`, {
    status,
    errorCode,
    endpoint,
    hint: hintFor(status, errorCode, message),
  });
}

/** What a thrown network error means; undefined for anything else, such as a local file that cannot be read. */
export function judgeFailure(error: unknown): Setback | undefined {
  const chain = causes(error);
  if (!chain.some(isOfTheNetwork)) return undefined;
  return {
    // AggregateError, of a host with an IPv6 and an IPv4 address, has no message.
    reason: chain.flatMap(({ message, code }) => message || code || []).at(-1) ?? 'the connection failed',
    untouched: chain.some(({ code = '' }) => neverConnected.has(code)),
    cause: error,
  };
}

type SystemError = NodeJS.ErrnoException;

function isOfTheNetwork(error: SystemError): boolean {
  const { name, code = '' } = error;
  if (name === 'TimeoutError' || code.startsWith('UND_ERR_') || code === 'ERR_STREAM_PREMATURE_CLOSE') return true;
  return code.startsWith('E') && !code.startsWith('ERR_') && error.path === undefined;
}

const neverConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** NOTE: no instanceof: errors of Node's own code are of another realm inside Jest. */
function causes(error: unknown): SystemError[] {
  const chain: SystemError[] = [];
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Error).cause) chain.push(at as SystemError);
  return chain;
}

const firstDelayMs = 200;
const longestDelayMs = 10_000;

/** Exponential backoff with full jitter: many trainers that lost one server must not come back in step. */
export function retryDelayMs(attempt: number): number {
  return Math.random() * Math.min(longestDelayMs, firstDelayMs * 2 ** attempt);
}

function retryAfter(headers: Headers): { waitMs?: number } {
  const seconds = Number(headers.get('retry-after') ?? NaN);
  return Number.isFinite(seconds) ? { waitMs: Math.min(seconds * 1000, longestDelayMs) } : {};
}

function readRefusal(body: string): { errorCode: string; message: string } {
  try {
    const parsed = JSON.parse(body) as { error_code?: unknown; message?: unknown };
    if (typeof parsed.message === 'string') {
      return { errorCode: String(parsed.error_code ?? ''), message: parsed.message };
    }
  } catch {
    // Not MLflow's JSON; the text itself is all that is known.
  }
  return { errorCode: '', message: body.replace(/\s+/g, ' ').trim().slice(0, 300) };
}

function hintFor(status: number, errorCode: string, message: string): string | undefined {
  if (message.includes('Invalid Host header')) {
    return 'start the server with --allowed-hosts and this host name, or address it as 127.0.0.1';
  }
  if (status === 401 || status === 403) {
    return 'set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD';
  }
  if (status === 404 && errorCode === '') return 'no MLflow API answers there; check MLFLOW_TRACKING_URI';
  return undefined;
}
