import { environmentVariable } from '../environment-variable.js';
import { fetchWithTls, type TlsOptions } from './mlflow-tls.js';

/** The part of `fetch` that Nautil uses, so that a caller can bring its own. */
export type Fetch = (
  url: string,
  options?: {
    method?: 'GET' | 'PUT';
    headers?: Record<string, string>;
    body?: AsyncIterable<Uint8Array> | Uint8Array;
    duplex?: 'half';
    signal?: AbortSignal;
  },
) => Promise<Response>;

/**
 * `fetch` through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name; Node's own fetch ignores them.
 *
 * @param own - TLS options, and the one origin that they are for; default: none
 */
export async function networkFetch(own?: { tls: TlsOptions; origin: string }): Promise<Fetch> {
  const proxyVariables = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];
  const useProxy = proxyVariables.some((name) => environmentVariable(name) !== undefined);
  if (own !== undefined) return await fetchWithTls(own.tls, own.origin, useProxy);
  if (!useProxy) return (url, options) => fetch(url, options);
  const undici = await import('undici');
  const dispatcher = new undici.EnvHttpProxyAgent();
  return async (url, options) => {
    // undici's Response and Node's have the same interface and are different classes.
    const response: unknown = await undici.fetch(url, { ...options, dispatcher });
    return response as Response;
  };
}
