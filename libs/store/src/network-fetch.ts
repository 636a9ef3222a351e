/** The part of `fetch` that is used here, so that a program can bring its own. */
export type Fetch = (
  url: string,
  options?: { headers?: Record<string, string>; signal?: AbortSignal },
) => Promise<Response>;

/** `fetch` through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, which Node's own ignores. */
export async function networkFetch(): Promise<Fetch> {
  const named = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].some((name) => process.env[name]);
  if (!named) return fetch;
  const undici = await import('undici');
  const dispatcher = new undici.EnvHttpProxyAgent();
  return (url, options) => undici.fetch(url, { ...options, dispatcher }) as unknown as Promise<Response>;
}
