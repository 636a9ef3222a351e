import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll } from '@jest/globals';

export interface HubContent {
  /** Files of each repository: `models/OWNER/NAME` or `datasets/OWNER/NAME`. */
  repositories: Record<string, Record<string, string | Buffer>>;

  /** Files of these names are in large-file storage, to which the server redirects; default: weights and archives. */
  isLarge?: (path: string) => boolean;

  /** When set, repositories are visible only with this token. */
  token?: string;

  /** Content that is sent in place of a file's own; the listed hash stays the same. */
  altered?: Record<string, Buffer>;

  /** Closes the connection of the n-th response with a file (from 0) after this many bytes. */
  cutAfter?: (answer: number, path: string) => number | undefined;

  /** Another status for the n-th response of the API (from 0). */
  apiStatus?: (answer: number) => number | undefined;

  /** An additional path in the listing. */
  extraPath?: string;
}

interface HubRequest {
  path: string;
  range: string | undefined;
  authorization: string | undefined;
}

export interface HubServer {
  /** For HF_ENDPOINT. */
  url: string;

  /** All requests so far. */
  requests: HubRequest[];

  /** Stops the server before the end of the tests, so that the hub cannot be reached. */
  stop: () => void;
}

const running: (() => void)[] = [];
afterAll(() => running.forEach((stop) => stop()));

/** A real HTTP server with the hub's API: revisions, listings by pages, files, large files by redirect to another origin. */
export async function startHubServer(content: HubContent): Promise<HubServer> {
  const requests: HubRequest[] = [];
  let files = 0;
  let calls = 0;
  const listen = async (answer: (request: IncomingMessage, response: ServerResponse) => void) => {
    const sockets = new Set<Socket>();
    const server: Server = createServer((request, response) => {
      const { range, authorization } = request.headers;
      requests.push({ path: request.url ?? '', range, authorization });
      answer(request, response);
    });
    server.on('connection', (socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const stop = (): void => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    running.push(stop);
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
  };
  const send = (request: IncomingMessage, response: ServerResponse, path: string, body: Buffer, etag: string) => {
    const { range, 'if-range': ifRange } = request.headers;
    const start = ifRange === etag ? Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0) : 0;
    const rest = body.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      etag,
      'content-length': rest.length,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` } : {}),
    });
    const cut = content.cutAfter?.(files++, path);
    if (cut === undefined) response.end(rest);
    else response.write(rest.subarray(0, cut), () => setTimeout(() => response.destroy(), 200));
  };

  const storage = await listen((request, response) => {
    const [, repository = '', path = ''] = /^\/(\w+\/[^?]+?)\/-\/([^?]+)/.exec(request.url ?? '') ?? [];
    const body = bytesOf(content, repository, decodeURIComponent(path));
    send(request, response, path, content.altered?.[path] ?? body, `"${sha256(body)}"`);
  });

  const hub = await listen((request, response) => {
    const url = new URL(request.url ?? '', 'http://hub');
    const json = (status: number, value: unknown, headers: Record<string, string> = {}): void =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    if (url.pathname.startsWith('/api/')) {
      const status = content.apiStatus?.(calls++);
      if (status !== undefined) return json(status, { error: 'not now' });
      const [, repository = '', what, revision, at = ''] =
        /^\/api\/((?:models|datasets)\/.+?)\/(revision|tree)\/(\w+)(?:\/(.*))?$/.exec(url.pathname) ?? [];
      const listed = content.repositories[repository];
      const mayRead = content.token === undefined || request.headers.authorization === `Bearer ${content.token}`;
      if (!listed || !mayRead) return json(401, { error: 'Invalid username or password.' });
      const sha = revisionOf(listed);
      if (what === 'revision') return json(200, { _id: '1', id: repository.replace(/^\w+\//, ''), sha });
      if (revision !== sha || at !== '') return json(404, { error: 'no such revision' });
      const entries = Object.keys(listed).map((path) => entryOf(content, repository, path));
      if (content.extraPath !== undefined) {
        entries.push({ type: 'file', path: content.extraPath, size: 1, oid: '0'.repeat(40) });
      }
      // Two pages, as the hub has them for large repositories.
      const half = Math.ceil(entries.length / 2);
      if (url.searchParams.has('cursor')) return json(200, entries.slice(half));
      return json(200, entries.slice(0, half), { link: `<${hub.url}${request.url}&cursor=2>; rel="next"` });
    }
    const [, dataset, name = '', revision, path = ''] =
      /^\/(datasets\/)?(.+?)\/resolve\/(\w+)\/(.+)$/.exec(decodeURIComponent(url.pathname)) ?? [];
    const repository = `${dataset ?? 'models/'}${name}`;
    const listed = content.repositories[repository];
    const file = listed?.[path];
    if (!listed || file === undefined || revision !== revisionOf(listed)) return void response.writeHead(404).end();
    const body = bytesOf(content, repository, path);
    if (isLarge(content, path)) {
      const target = `${storage.url}/${repository}/-/${encodeURIComponent(path)}?signature=x`;
      const headers = { 'x-linked-etag': `"${sha256(body)}"`, 'x-linked-size': String(body.length) };
      return void response.writeHead(302, { location: target, ...headers }).end();
    }
    send(request, response, path, content.altered?.[path] ?? body, `"${gitHash(body)}"`);
  });
  return { url: hub.url, requests, stop: () => [hub, storage].forEach(({ stop }) => stop()) };
}

const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex');
const gitHash = (body: Buffer): string => createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');

/** The id of a commit depends on its content. */
const revisionOf = (files: Record<string, string | Buffer>): string =>
  createHash('sha1')
    .update(
      Object.entries(files)
        .map(([path, body]) => `${path}\n${gitHash(Buffer.from(body))}`)
        .join('\n'),
    )
    .digest('hex');

const bytesOf = (content: HubContent, repository: string, path: string): Buffer =>
  Buffer.from(content.repositories[repository]?.[path] ?? '');

const isLarge = ({ isLarge: large = (path) => /\.(?:safetensors|bin|gz|zip)$/.test(path) }: HubContent, path: string) =>
  large(path);

function entryOf(content: HubContent, repository: string, path: string) {
  const body = bytesOf(content, repository, path);
  const entry = { type: 'file', path, size: body.length, oid: gitHash(body) };
  if (!isLarge(content, path)) return entry;
  return { ...entry, lfs: { oid: sha256(body), size: body.length, pointerSize: 130 } };
}
