import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isPortFree } from '@nautil/store/process';
import { startTemporalServer } from './temporal-server.js';
import { createUiGate, reasonToRefuse } from './ui-gate.js';

// tests/src/web-page.test.ts attacks the gate of a real UI.

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('a gate', () => {
  let gate: Server;
  let port: number;
  let requests = 0;
  const upstream = createServer((incoming, response) => {
    requests += 1;
    if (incoming.url === '/break') response.destroy();
    else if (incoming.url === '/half') response.write('half', () => response.destroy());
    else incoming.pipe(response.setHeader('content-security-policy', "script-src 'self'"));
  });
  beforeAll(async () => {
    gate = createUiGate({ host: '127.0.0.1', port: await listen(upstream) });
    port = await listen(gate);
  });
  afterAll(() => {
    gate.close();
    upstream.close();
  });

  test('passes a body in both directions, and keeps the content security policy of the server', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', body: 'x'.repeat(1 << 20) });
    expect(await response.text()).toHaveLength(1 << 20);
    expect(response.headers.get('content-security-policy')).toBe("script-src 'self', frame-ancestors 'none'");
  });

  test.each([
    ['GET', { 'transfer-encoding': 'chunked' }],
    ['DELETE', { 'transfer-encoding': 'chunked' }],
    ['DELETE', { 'transfer-encoding': 'chunked', connection: 'transfer-encoding' }],
    ['DELETE', { 'content-length': '36', connection: 'content-length' }],
  ])('a %s with %j and a body reaches the server as one request', async (method, headers) => {
    const body = 'GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const before = requests;
    const echoed = new Promise<string>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path: '/echo', method, headers }, (response) => {
        text(response).then(resolve, reject);
      });
      sent.on('error', reject).end(body);
    });
    expect(await echoed).toBe(body);
    expect(requests - before).toBe(1);
  });

  test('survives a server that ends a response early, and a client that goes away', async () => {
    expect((await fetch(`http://127.0.0.1:${port}/break`)).status).toBe(502);
    await expect(fetch(`http://127.0.0.1:${port}/half`).then((response) => response.text())).rejects.toThrow();
    await new Promise((resolve) => {
      const gone = request({ host: '127.0.0.1', port, method: 'POST', headers: { 'content-length': 100 } });
      gone.on('error', resolve);
      gone.write('part', () => gone.destroy(new Error('gone')));
    });
    expect((await fetch(`http://127.0.0.1:${port}/echo`)).status).toBe(200);
  });
});

test.each([
  ['a request without a Host', {}],
  ['a request to a name that starts like this machine', { host: 'localhost.evil.example' }],
  ['a request with user information in its Host', { host: 'evil@127.0.0.1' }],
  ['a page without an origin', { host: 'localhost:8233', origin: 'null' }],
  ['a page of another port', { host: 'localhost:8233', origin: 'http://localhost:3000' }],
  ['an image or a script in a page of another port', { host: 'localhost:8233', 'sec-fetch-site': 'same-site' }],
])('%s is refused', (_, headers) => {
  expect(reasonToRefuse({ headers, method: 'GET', url: '/' })).toBeDefined();
});

test('a form that another page submits by navigating is refused, and a link is not', () => {
  const headers = { host: 'localhost:8233', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  expect(reasonToRefuse({ headers, method: 'POST', url: '/' })).toBeDefined();
  expect(reasonToRefuse({ headers, method: 'GET', url: '/' })).toBeUndefined();
});

test('a request for another server is refused', () => {
  const headers = { host: '127.0.0.1:8233' };
  expect(reasonToRefuse({ headers, method: 'GET', url: 'http://evil.example/' })).toBe('this server is not a proxy');
});

test('the port of the UI is free as soon as a killed server has ended', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nautil-ui-gate-'));
  const server = await startTemporalServer({ folder, outlivesParent: true });
  const port = Number(new URL(server.uiUrl).port);
  process.kill(server.pid, 'SIGKILL');
  for (const deadline = Date.now() + 5000; !(await isPortFree(port)) && Date.now() < deadline;) continue;
  expect(await isPortFree(port)).toBe(true);
  await server.stop();
  rmSync(folder, { recursive: true });
}, 30_000);
