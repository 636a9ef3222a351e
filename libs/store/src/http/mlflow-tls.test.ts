import type { Server } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { generate } from 'selfsigned';
import { fetchWithTls, type TlsOptions } from './mlflow-tls.js';

// Two servers at localhost with certificates of one private authority. The configured one requires a client certificate, and redirects to
// the other one, which records what it gets.

const servers: Server[] = [];
const presented: string[] = [];
let logins: (string | undefined)[];
let tls: { ca: Buffer; cert: Buffer; key: Buffer };
let configured: string;
let other: string;

beforeAll(async () => {
  const name = (value: string) => [{ name: 'commonName', value }];
  const authority = await generate(name('authority'), {
    algorithm: 'sha256',
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
  });
  const ca = { key: authority.private, cert: authority.cert };
  const server = await generate(name('localhost'), {
    algorithm: 'sha256',
    ca,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  const client = await generate(name('worker'), { algorithm: 'sha256', ca });
  tls = { ca: Buffer.from(ca.cert), cert: Buffer.from(client.cert), key: Buffer.from(client.private) };

  // With TLS 1.2, the handshake ends at the server, so that it sees the client's certificate even if the client then refuses the server.
  const options: ServerOptions = { key: server.private, cert: server.cert, ca: ca.cert, requestCert: true };
  const recorder = createServer(
    { ...options, rejectUnauthorized: false, maxVersion: 'TLSv1.2' },
    (request, response) => {
      logins.push(request.headers.authorization);
      response.end('the other server');
    },
  );
  const record = (socket: TLSSocket): void => {
    const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>; // {} when there is none
    presented.push(subject === undefined ? 'none' : String(subject.CN));
  };
  recorder.on('secureConnection', record).on('tlsClientError', (_, socket) => record(socket));
  other = await listen(recorder);
  const redirecting = createServer({ ...options, rejectUnauthorized: true }, (request, response) => {
    if (request.url === '/away') response.writeHead(302, { location: `${other}/there` }).end();
    else if (request.url === '/here') response.writeHead(302, { location: '/end' }).end();
    else response.end('the configured server');
  });
  configured = await listen(redirecting);
});
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

test.each<[string, () => TlsOptions]>([
  ['a private authority', () => tls],
  ['no verification', () => ({ cert: tls.cert, key: tls.key, rejectUnauthorized: false })],
])('with %s, a redirect to another origin carries nothing of the configured one', async (_, options) => {
  logins = [];
  presented.length = 0;
  const send = await fetchWithTls(options(), configured);
  const headers = { authorization: 'Bearer secret' };
  const within = await send(`${configured}/here`, { headers });
  expect(await within.text()).toBe('the configured server');

  const away: unknown = await send(`${configured}/away`, { headers }).catch((error: unknown) => error);
  expect((away as Error).cause).toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' });
  expect(logins).toEqual([]);
  expect(presented).toEqual(['none']);

  // The recorder does see the certificate of a client that presents one.
  await (await (await fetchWithTls(options(), other))(other)).text();
  expect(presented).toEqual(['none', 'worker']);
});
