import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { sha256Of } from '../digest.js';
import { startFileServer } from '../testing/file-server.js';
import { startProgram } from '../testing/start-program.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { DownloadFailed } from './download-request.js';
import { ChecksumMismatch, fetchFile, type FetchOptions } from './fetch-file.js';

const folder = temporaryFolder();
const content = randomBytes(300_000);
const sha256 = sha256Of(content);
const quick = { backoffMs: 5 };
const home = join(folder, 'home');

let files = 0;
const newPath = (): string => join(folder, `download-${(files += 1)}`, 'file');
const siblings = (path: string): string[] => readdirSync(join(path, '..')).sort();

test('a file with the right digest is not downloaded again', async () => {
  const server = await startFileServer({ content });
  const to = newPath();
  const seen: [number, number | undefined][] = [];
  const ref = await fetchFile({
    home,
    url: server.url,
    to,
    sha256,
    onProgress: (done, total) => seen.push([done, total]),
  });
  expect(ref).toEqual({ path: to, sha256, sizeBytes: content.length });
  expect(readFileSync(to)).toEqual(content);
  expect(seen[0]).toEqual([0, content.length]);
  expect(seen.at(-1)).toEqual([content.length, content.length]);
  expect(siblings(to)).toEqual(['file']);
  await fetchFile({ home, url: server.url, to, sha256 });
  expect(server.requests).toHaveLength(1);
});

test('after each lost connection, the download resumes where it was interrupted', async () => {
  const server = await startFileServer({ content, cutAfter: (answer) => (answer < 6 ? 40_000 : undefined) });
  const to = newPath();
  await fetchFile({ home, url: server.url, to, sha256, ...quick });
  expect(readFileSync(to)).toEqual(content);
  expect(server.requests).toHaveLength(7);
  const starts = server.requests.map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  expect(starts[6]).toBeGreaterThan(100_000);
  expect(server.requests[1]?.ifRange).toBe('"v1"');
});

test('a download resumes from what an earlier one left incomplete', async () => {
  const faults = { content, cutAfter: (answer: number) => (answer < 2 ? 100_000 : undefined) };
  const server = await startFileServer(faults);
  const to = newPath();
  const error: unknown = await fetchFile({ home, url: server.url, to, sha256, attempts: 1 }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DownloadFailed);
  expect(error).toMatchObject({ retryable: true, hint: expect.stringContaining('are kept') });
  expect(existsSync(to)).toBe(false);
  const kept = statSync(`${to}.incomplete`).size;
  expect(kept).toBeGreaterThan(0);
  await fetchFile({ home, url: server.url, to, sha256, ...quick });
  expect(server.requests[1]?.range).toBe(`bytes=${kept}-`);
  expect(readFileSync(to)).toEqual(content);
});

test.each([
  ['zeros', Buffer.alloc(100_000)],
  ['nothing', Buffer.alloc(0)],
])(
  'a download resumes after the bytes that were synced, if a power cut left %s in the place of others',
  async (_, left) => {
    const server = await startFileServer({ content, cutAfter: (answer) => (answer === 0 ? 50_000 : undefined) });
    const to = newPath();
    await expect(fetchFile({ home, url: server.url, to, attempts: 1 })).rejects.toThrow();
    const kept = statSync(`${to}.incomplete`).size;
    const origin = JSON.parse(readFileSync(`${to}.incomplete.json`, 'utf8')) as { writer: string; syncedBytes: number };
    expect(origin.syncedBytes).toBe(kept);
    // As another process left it, which had synced a part when the machine lost power.
    const synced = kept - 1000;
    const writer = origin.writer.replace(/^.{16}/, '0123456789abcdef');
    writeFileSync(`${to}.incomplete.json`, JSON.stringify({ ...origin, writer, syncedBytes: synced }));
    truncateSync(`${to}.incomplete`, synced);
    appendFileSync(`${to}.incomplete`, left);
    await fetchFile({ home, url: server.url, to });
    expect(server.requests[1]?.range).toBe(`bytes=${synced}-`);
    expect(readFileSync(to)).toEqual(content);
  },
);

test('a download starts over when the file on the server has changed in the meantime', async () => {
  const behaviour = {
    content: Buffer.from('old'.repeat(1000)),
    etag: '"old"',
    cutAfter: (): number | undefined => 1000,
  };
  const server = await startFileServer(behaviour);
  const to = newPath();
  await expect(fetchFile({ home, url: server.url, to, attempts: 1 })).rejects.toThrow();
  Object.assign(behaviour, { content, etag: '"new"', cutAfter: () => undefined });
  await fetchFile({ home, url: server.url, to, sha256 });
  expect(readFileSync(to)).toEqual(content);
});

test.each([
  ['does not support ranges', { ignoreRange: true }],
  ['sends no validator', { etag: null }],
  ['sends only a weak ETag', { etag: 'W/"v1"' }],
  ['sends only the time of the last change', { etag: null, lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' }],
])('an interrupted download completes from a server that %s', async (_, faults) => {
  const server = await startFileServer({ content, ...faults, cutAfter: (answer) => (answer < 1 ? 50_000 : undefined) });
  const to = newPath();
  await fetchFile({ home, url: server.url, to, ...quick });
  expect(readFileSync(to)).toEqual(content);
});

test('a server that stops sending runs into the idle time-out, and the request is retried', async () => {
  const server = await startFileServer({ content, hangAfter: (answer) => (answer === 0 ? 10_000 : undefined) });
  const to = newPath();
  await fetchFile({ home, url: server.url, to, sha256, idleTimeoutMs: 200, ...quick });
  expect(readFileSync(to)).toEqual(content);
  expect(server.requests).toHaveLength(2);
});

test('an overloaded server is retried, a refusal is not', async () => {
  const overloaded = await startFileServer({ content, status: (answer) => [503, 429, 500][answer] });
  await fetchFile({ home, url: overloaded.url, to: newPath(), sha256, ...quick });
  expect(overloaded.requests).toHaveLength(4);

  const missing = await startFileServer({ content, status: () => 404 });
  const to = newPath();
  const error: unknown = await fetchFile({ home, url: missing.url, to, ...quick }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'DownloadFailed', retryable: false, hint: 'check the address' });
  expect((error as Error).message).toBe(`${missing.url}: the server answered 404 Not Found`);
  expect(missing.requests).toHaveLength(1);
  expect(siblings(to)).toEqual([]);
});

test('content with the wrong digest is refused and removed', async () => {
  const server = await startFileServer({ content });
  const to = newPath();
  const promised = sha256Of('something else');
  const error: unknown = await fetchFile({ home, url: server.url, to, sha256: promised }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ChecksumMismatch);
  expect((error as Error).message).toBe(`${server.url}: its SHA-256 is ${sha256}, expected ${promised}`);
  expect(siblings(to)).toEqual([]);
});

test.each([
  ['states its size', false],
  ['does not state its size', true],
])('a file that is too large and %s is refused', async (_, withoutLength) => {
  const server = await startFileServer({ content, withoutLength });
  await expect(fetchFile({ home, url: server.url, to: newPath(), maxBytes: 100_000 })).rejects.toThrow(
    'larger than the allowed 100.0 kB',
  );
});

test('a server that cannot be reached is reported with the reason', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const download = fetchFile({ home, url: `http://127.0.0.1:${port}/x`, to: newPath(), attempts: 2, ...quick });
  await expect(download).rejects.toThrow(/ECONNREFUSED.*, 2 times in a row/);
  await expect(fetchFile({ home, url: 'ftp://example.org/x', to: newPath() })).rejects.toThrow(
    'is not an http or https address',
  );
});

test('a file that is newer by the clock, as after the clock was set back, is downloaded again if its digest is unknown', async () => {
  const server = await startFileServer({ content });
  const to = newPath();
  await fetchFile({ home, url: server.url, to });
  const tomorrow = new Date(Date.now() + 86_400_000);
  utimesSync(to, tomorrow, tomorrow);
  await fetchFile({ home, url: server.url, to });
  expect(server.requests).toHaveLength(2);
});

test('when two processes download the same file at once, one request is made', async () => {
  const server = await startFileServer({ content });
  const to = newPath();
  const programs = [1, 2].map(() => startProgram('download.ts', server.url, to, sha256));
  const ended = await Promise.all(programs.map((program) => program.ended));
  expect(ended.map(({ code }) => code)).toEqual([0, 0]);
  expect(readFileSync(to)).toEqual(content);
  expect(server.requests).toHaveLength(1);
});

test('an aborted download is resumed by the next one', async () => {
  const server = await startFileServer({ content, hangAfter: (answer) => (answer === 0 ? 10_000 : undefined) });
  const to = newPath();
  const controller = new AbortController();
  const onProgress: FetchOptions['onProgress'] = (done) => done > 0 && controller.abort(new Error('enough'));
  await expect(fetchFile({ home, url: server.url, to, signal: controller.signal, onProgress })).rejects.toThrow(
    'enough',
  );
  expect(existsSync(to)).toBe(false);
  await fetchFile({ home, url: server.url, to, sha256 });
  expect(server.requests[1]?.range).toMatch(/^bytes=[1-9]/);
});

test('the proxy from the environment is used', async () => {
  const requested: string[] = [];
  const proxy = createServer((request, response) => {
    requested.push(request.url ?? '');
    response.end(content);
  });
  // undici requests a tunnel from the proxy, also for http
  proxy.on('connect', (request, socket) => {
    requested.push(request.url ?? '');
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc`));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const to = newPath();
  const program = startProgram('download.ts', 'http://files.invalid/file', to, '', `http://127.0.0.1:${port}`);
  expect((await program.ended).code).toBe(0);
  expect(requested).toHaveLength(1);
  expect(requested[0]).toContain('files.invalid');
  expect(existsSync(to)).toBe(true);
  proxy.close();
  proxy.closeAllConnections();
});
