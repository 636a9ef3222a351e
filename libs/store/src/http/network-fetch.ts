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

/** `fetch` through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name; Node's own fetch ignores them. */
export async function networkFetch(): Promise<Fetch> {
  const proxyVariables = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];
  if (!proxyVariables.some((name) => process.env[name])) {
    return (url, options) => fetch(url, options as RequestInit);
  }
  const undici = await import('undici');
  const dispatcher = new undici.EnvHttpProxyAgent();
  return (url, options) => undici.fetch(url, { ...options, dispatcher }) as unknown as Promise<Response>;
}
