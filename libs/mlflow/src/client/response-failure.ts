import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { classifyResponse, RetryableError } from '@nautil/store/http';
import { MlflowError } from './errors.js';

/** A response whose body has been read. */
export interface MlflowResponse {
  status: number;
  headers: Headers;
  body: string;
}

/** The server is overloaded, the request is not at fault: SQLite's pool ran dry or its file was locked for too long. */
const overloaded = /QueuePool limit|database is locked/;

/**
 * The error for a response that is no success: retryable, or a refusal.
 *
 * NOTE: MLflow reports an exhausted connection pool as 400, and a proxy or the host check answers in plain text.
 */
export function responseFailure(
  { status, headers, body }: MlflowResponse,
  endpoint: string,
  trackingUri: string,
): RetryableError | MlflowError {
  const { errorCode, message } = readError(body);
  const reason = `${status} ${message}`;
  if (overloaded.test(body)) return new RetryableError(reason, { status, notProcessed: true });
  return (
    classifyResponse({ status, headers }, reason) ??
    new MlflowError(`MLflow at ${trackingUri} refused ${endpoint}: ${reason}`, {
      status,
      errorCode,
      endpoint,
      ...hintFor(status, errorCode, message),
    })
  );
}

/** MLflow's longest messages list what a batch contains. */
const longestMessage = 4000;

const parseError = jsonParser(Type.Object({ error_code: Type.Optional(Type.String()), message: Type.String() }));

function readError(body: string): { errorCode: string; message: string } {
  try {
    const { error_code: errorCode = '', message } = parseError(body, 'an error of MLflow');
    return { errorCode, message: message.slice(0, longestMessage) };
  } catch {
    return { errorCode: '', message: body.slice(0, longestMessage).replace(/\s+/g, ' ').trim().slice(0, 300) };
  }
}

function hintFor(status: number, errorCode: string, message: string): { hint?: string } {
  if (message.includes('Invalid Host header')) {
    return { hint: 'start the server with --allowed-hosts and this host name, or address it as 127.0.0.1' };
  }
  if (status === 401 || status === 403) {
    return { hint: 'set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD' };
  }
  if (status === 404 && errorCode === '') {
    return { hint: 'the server at this address has no MLflow API; check MLFLOW_TRACKING_URI' };
  }
  return {};
}
