import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll } from '@jest/globals';

interface Request {
  range: string | undefined;
  ifRange: string | undefined;
}

export interface FileServer {
  url: string;

  /** All requests so far. */
  requests: Request[];
}

export interface Behaviour {
  content: Buffer;
  etag?: string | null;
  lastModified?: string;

  /** Closes the connection of the n-th response (from 0) after this many bytes of its body. */
  cutAfter?: (answer: number) => number | undefined;

  /** Stops the n-th response after this many bytes, and keeps the connection open. */
  hangAfter?: (answer: number) => number | undefined;

  /** Another status for the n-th response. */
  status?: (answer: number) => number | undefined;

  ignoreRange?: boolean;
  withoutLength?: boolean;
}

const running: { server: Server; sockets: Set<Socket> }[] = [];

// Not in startFileServer, because Jest allows no hooks inside tests, where servers are started.
afterAll(() => {
  for (const { server, sockets } of running) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
});

/** A real HTTP server that serves one file with the given faults. It is closed after the tests. */
export async function startFileServer(behaviour: Behaviour): Promise<FileServer> {
  const requests: Request[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) =>
    answer(request, response, requests.push(requestOf(request)) - 1, behaviour),
  );
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.push({ server, sockets });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`, requests };
}

const requestOf = ({ headers }: IncomingMessage): Request => ({
  range: headers.range,
  ifRange: headers['if-range'] as string | undefined,
});

function answer(request: IncomingMessage, response: ServerResponse, number: number, behaviour: Behaviour): void {
  const { content, etag = '"v1"', lastModified, cutAfter, hangAfter, status, ignoreRange, withoutLength } = behaviour;
  const other = status?.(number);
  if (other !== undefined) {
    response.writeHead(other).end('no');
    return;
  }
  const { range, ifRange } = requestOf(request);
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const partial = start > 0 && !ignoreRange && (ifRange === etag || ifRange === lastModified);
  if (partial && start >= content.length) {
    response.writeHead(416).end();
    return;
  }
  const body = partial ? content.subarray(start) : content;
  response.writeHead(partial ? 206 : 200, {
    ...(etag === null ? {} : { etag }),
    ...(lastModified === undefined ? {} : { 'last-modified': lastModified }),
    ...(withoutLength ? {} : { 'content-length': body.length }),
    ...(partial ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
  });
  const cut = cutAfter?.(number);
  const hang = hangAfter?.(number);
  if (cut !== undefined) response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 200));
  else if (hang !== undefined) response.write(body.subarray(0, hang));
  else response.end(body);
}
