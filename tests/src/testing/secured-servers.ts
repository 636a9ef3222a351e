import { writeFileSync } from 'node:fs';
import {
  connect as connectHttp2,
  constants,
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { generate } from 'selfsigned';

interface Pair {
  cert: string;
  key: string;
}

export interface Certificates {
  /** PEM file of the authority that signs the others. */
  caFile: string;
  ca: string;
  server: Pair;

  /** PEM files of a client that the authority knows, and of one that signed its certificate itself. */
  client: { certFile: string; keyFile: string };
  stranger: { certFile: string; keyFile: string };
}

/** Certificates for a server at localhost and for its clients, written to a folder. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const name = (value: string) => [{ name: 'commonName', value }];
  const authority = await generate(name('Nautil test authority'), {
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const ca = { key: authority.private, cert: authority.cert };
  const server = await generate(name('localhost'), {
    algorithm: 'sha256',
    ca,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  });
  const clientExtensions = [
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true },
    { name: 'extKeyUsage', clientAuth: true },
  ] as const;
  const client = await generate(name('worker'), { algorithm: 'sha256', ca, extensions: [...clientExtensions] });
  const stranger = await generate(name('stranger'), { algorithm: 'sha256', extensions: [...clientExtensions] });
  const write = (file: string, text: string): string => {
    writeFileSync(join(folder, file), text, { mode: 0o600 });
    return join(folder, file);
  };
  const written = (of: string, { cert, private: key }: { cert: string; private: string }) => ({
    certFile: write(`${of}.pem`, cert),
    keyFile: write(`${of}.key`, key),
  });
  return {
    ca: ca.cert,
    caFile: write('ca.pem', ca.cert),
    server: { cert: server.cert, key: server.private },
    client: written('client', client),
    stranger: written('stranger', stranger),
  };
}

export interface SecuredServer {
  /** `host:port`. */
  address: string;
  close: () => Promise<void>;
}

/** TLS in front of a server. Clients need a certificate of the authority. Temporal speaks the protocol h2, MLflow http/1.1. Another `host` is for a network of its own. */
export function startCertificateProxy(
  target: string,
  { server, ca }: Certificates,
  protocol: 'h2' | 'http/1.1',
  host = '127.0.0.1',
): Promise<SecuredServer> {
  const open = new Set<{ destroy: () => void }>();
  const proxy = createTlsServer(
    { ...server, ca, requestCert: true, rejectUnauthorized: true, ALPNProtocols: [protocol] },
    (socket) => {
      const [upstreamHost, port] = target.split(':');
      const upstream = connect(Number(port), upstreamHost);
      for (const [from, to] of [
        [socket, upstream],
        [upstream, socket],
      ] as const) {
        open.add(from);
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.pipe(to);
      }
    },
  );
  return listening(proxy, () => open.forEach((socket) => socket.destroy()), host);
}

/** TLS in front of a Temporal server. Requests need an API key. */
export function startKeyProxy(target: string, { server }: Certificates, apiKey: string): Promise<SecuredServer> {
  const upstream = connectHttp2(`http://${target}`);
  upstream.on('error', () => undefined); // the requests fail
  const proxy = createSecureServer(server);
  const sessions = new Set<{ destroy: () => void }>();
  proxy.on('session', (session) => sessions.add(session));
  proxy.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    const { authorization, ':authority': _, ...forwarded } = headers;
    if (authorization !== `Bearer ${apiKey}`) {
      const refusal = { 'content-type': 'application/grpc', 'grpc-status': '16', 'grpc-message': 'invalid API key' };
      stream.respond({ ':status': 200, ...refusal }, { endStream: true });
      return;
    }
    const request = upstream.request(forwarded);
    let trailers: IncomingHttpHeaders = {};
    request.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    request.on('trailers', (received: IncomingHttpHeaders) => (trailers = received));
    request.on('response', (response, flags) => {
      const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      if (stream.destroyed) return;
      stream.respond(response, { endStream, waitForTrailers: !endStream });
      if (!endStream) request.pipe(stream);
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.on('close', () => request.close(constants.NGHTTP2_CANCEL));
    stream.pipe(request);
  });
  return listening(proxy, () => {
    sessions.forEach((session) => session.destroy());
    upstream.destroy();
  });
}

async function listening(server: Server, destroyConnections: () => void, host = '127.0.0.1'): Promise<SecuredServer> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    address: `localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        destroyConnections();
      }),
  };
}
