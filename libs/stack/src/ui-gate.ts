import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from 'node:http';
import { pipeline } from 'node:stream';

/** Where an HTTP server listens. */
export interface HttpAddress {
  host: string;
  port: number;
}

/**
 * A reverse proxy that lets a browser's user reach an HTTP server on this machine, and web pages not. The server itself checks
 * nothing: a page whose DNS name resolves to 127.0.0.1 (DNS rebinding), or that sends a cross-origin POST as text/plain, would
 * read and change everything. Programs on this machine pass: they send no Origin, and can reach the server anyway.
 */
export function createUiGate(upstream: HttpAddress): Server {
  // NOTE: without a listener for `upgrade`, Node answers a WebSocket handshake as a plain request, whose Origin is checked too.
  return createServer((incoming, response) => {
    const refusal = reasonToRefuse(incoming);
    if (refusal !== undefined) {
      incoming.resume();
      response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end(`${refusal}\n`);
      return;
    }
    const outgoing = request({
      ...upstream,
      method: incoming.method,
      path: incoming.url,
      headers: requestHeaders(incoming.headers),
    });
    outgoing.on('response', (answer) => {
      for (const [name, value] of Object.entries(withoutHopByHop(answer.headers)))
        response.setHeader(name, value ?? []);
      // A page that shows the UI in a frame could trick the user into clicking in it.
      response.setHeader('x-frame-options', 'DENY');
      response.appendHeader('content-security-policy', "frame-ancestors 'none'");
      response.writeHead(answer.statusCode ?? 502);
      pipeline(answer, response, () => undefined); // on an error, both ends are closed, which is all that can be done
    });
    outgoing.on('error', () => {
      if (response.headersSent) response.destroy();
      else
        response.writeHead(502, { 'content-type': 'text/plain' }).end('the server behind this port does not respond\n');
    });
    pipeline(incoming, outgoing, () => undefined);
    response.on('close', () => outgoing.destroy());
  });
}

/** Why a request may come from a foreign web page; undefined when it cannot. Browsers let no page choose these headers. */
export function reasonToRefuse(incoming: Pick<IncomingMessage, 'headers' | 'method' | 'url'>): string | undefined {
  const { headers, method, url = '' } = incoming;
  const host = headers.host ?? '';
  if (!isLoopback(host)) return `this server is not named ${JSON.stringify(host)}: open it as 127.0.0.1 or localhost`;
  if (!url.startsWith('/')) return 'this server is not a proxy';
  const { origin } = headers;
  if (origin !== undefined && !isOriginOf(origin, host))
    return `pages of ${JSON.stringify(origin)} may not use this server`;
  const site = headers['sec-fetch-site'];
  const isSameSite = site === undefined || site === 'same-origin' || site === 'none';
  const isLink = headers['sec-fetch-mode'] === 'navigate' && (method === 'GET' || method === 'HEAD');
  return isSameSite || isLink ? undefined : 'other pages may link to this server, but not load its content';
}

/** Names that no DNS server can give to an attacker's page. The port is free, so that a forwarded one works. */
const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i.test(host);

const isOriginOf = (origin: string, host: string): boolean =>
  [`http://${host}`, `https://${host}`].includes(origin.toLowerCase());

/** Headers that concern one connection only (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function withoutHopByHop(headers: IncomingHttpHeaders): NodeJS.Dict<string | string[]> {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !named.has(name)));
}

/** NOTE: Node does not mark where the body of a GET or a DELETE ends, so that the server would take it for requests of its own. */
function requestHeaders(headers: IncomingHttpHeaders): NodeJS.Dict<string | string[]> {
  const passed = withoutHopByHop(headers);
  const hasBody = (headers['transfer-encoding'] ?? headers['content-length']) !== undefined;
  if (hasBody && passed['content-length'] === undefined) passed['transfer-encoding'] = 'chunked';
  return passed;
}
