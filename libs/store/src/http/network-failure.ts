import { isNativeError } from 'node:util/types';
import { RetryableError } from './retryable-error.js';

/** The failure behind an error of fetch or of node:http; undefined for any other error, such as one of a local file. */
export function networkFailure(error: unknown): RetryableError | undefined {
  const chain = causeChain(error);
  if (chain.some(isFileError) || !chain.some(isNetworkError)) return undefined;
  return new RetryableError(deepestReason(chain), {
    notProcessed: chain.some(({ code = '' }) => neverConnected.has(code)),
    cause: error,
  });
}

type SystemError = Error & { code?: string; path?: string };

/** fetch throws "fetch failed", or "terminated" while the body arrives, and puts what happened into the cause. */
function causeChain(error: unknown): SystemError[] {
  const chain: SystemError[] = [];
  for (let link = error; isNativeError(link); link = link.cause) chain.push(link);
  return chain;
}

const isFileError = ({ path }: SystemError): boolean => path !== undefined;

function isNetworkError({ name, message, code = '' }: SystemError): boolean {
  if (name === 'TypeError' && (message === 'fetch failed' || message === 'terminated')) return true;
  if (/^(?:UND_ERR_|HPE_|ERR_TLS_|ERR_SSL_)/.test(code) || code === 'ERR_STREAM_PREMATURE_CLOSE') return true;
  return /^E(?!RR_)/.test(code);
}

/** Codes of failures that come before a connection is made. */
const neverConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** NOTE: the AggregateError of a host that has an IPv4 and an IPv6 address has a code and no message. */
function deepestReason(chain: readonly SystemError[]): string {
  const reasons = chain
    .map(({ message, code = '' }) => (message === '' ? code : message))
    .filter((reason) => reason !== '');
  return reasons.at(-1) ?? 'the connection failed';
}
