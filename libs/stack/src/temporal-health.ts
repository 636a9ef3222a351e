import { connect, type IncomingHttpHeaders, type SecureClientSessionOptions } from 'node:http2';
import type { TemporalConnection } from './temporal-connection.js';

const service = 'temporal.api.workflowservice.v1.WorkflowService';

/** Whether a Temporal server reports SERVING. */
export const isTemporalServing = async (connection: TemporalConnection, timeoutMs?: number): Promise<boolean> =>
  (await temporalProblem(connection, timeoutMs)) === undefined;

/**
 * Why a Temporal server does not serve this client: the network's or TLS's error, or the server's refusal; undefined if it reports
 * SERVING. This is a bare gRPC health check, because loading Temporal's client would add half a second to every `nautil status`,
 * and because that client does not report TLS's errors.
 */
export async function temporalProblem(connection: TemporalConnection, timeoutMs = 2000): Promise<string | undefined> {
  try {
    return await healthProblem(connection, timeoutMs);
  } catch (error) {
    // Node throws at once for a certificate or a key that is not in PEM format.
    return messageOf(error as Error);
  }
}

function healthProblem({ address, security }: TemporalConnection, timeoutMs: number): Promise<string | undefined> {
  const { tls, apiKey, metadata } = security;
  return new Promise((resolve) => {
    const session = tls ? connect(`https://${address}`, tlsOptions(tls)) : connect(`http://${address}`);
    const settle = (problem?: string): void => {
      resolve(problem);
      session.destroy();
    };
    const settleAsClosed = (): void =>
      settle(`it closed the connection${session.encrypted ? closedAfterHandshake : ''}`);
    const settleWith = (error: Error): void => {
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') settleAsClosed();
      else settle(messageOf(error));
    };
    // NOTE: with TLS 1.3, a server rejects a client's certificate only after the handshake. HTTP/2 then reports that the connection
    // was closed, and only the socket has the reason.
    session.once('connect', (_, socket) => socket.on('error', settleWith));
    session.setTimeout(timeoutMs, () => settle(`it does not answer within ${timeoutMs / 1000} s`));
    session.on('error', settleWith);
    session.on('close', settleAsClosed); // a server that is starting may close the connection without an error
    const request = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...metadata,
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    });
    const chunks: Buffer[] = [];
    let refusal: string | undefined; // until there is a response
    const readStatus = ({ 'grpc-message': message }: IncomingHttpHeaders): void => {
      refusal ??= 'it does not report SERVING';
      if (typeof message === 'string' && message !== '') refusal = `it refuses the request: ${decoded(message)}`;
    };
    request.on('response', readStatus);
    request.on('trailers', readStatus);
    request.on('error', () => undefined); // the session reports it
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A gRPC frame (5 bytes of header) around HealthCheckResponse { status = 1: SERVING }.
    request.on('end', () => {
      const isServing = Buffer.concat(chunks)
        .subarray(5)
        .equals(Buffer.from([0x08, 0x01]));
      if (isServing) settle();
      else if (refusal !== undefined) settle(refusal);
    });
    request.end(healthCheckRequest());
  });
}

const closedAfterHandshake = ' after the TLS handshake, as a server does that does not accept the client certificate';

/** gRPC encodes messages with percent signs. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

/** OpenSSL's messages have the form `error:0A000412:SSL routines:function:reason:file:line:...`. */
function messageOf(error: Error): string {
  const reason = /error:\w+:[^:]* routines:[^:]*:([^:]+)/.exec(error.message)?.[1];
  if (reason === 'no start line') return 'TLS: a certificate or a key of the settings is not in PEM format';
  if (reason !== undefined) return `TLS: ${reason}`;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return error.message === '' ? code : error.message;
}

/** Options of Node's TLS, from those of Temporal's SDK. */
function tlsOptions(tls: NonNullable<TemporalConnection['security']['tls']>): SecureClientSessionOptions {
  if (typeof tls !== 'object') return {};
  const { serverNameOverride, serverRootCACertificate, clientCertPair } = tls;
  return {
    ...(serverNameOverride === undefined ? {} : { servername: serverNameOverride }),
    ...(serverRootCACertificate === undefined ? {} : { ca: Buffer.from(serverRootCACertificate) }),
    ...(clientCertPair ? { cert: Buffer.from(clientCertPair.crt), key: Buffer.from(clientCertPair.key) } : {}),
  };
}

/** A gRPC frame around HealthCheckRequest { service = 1 }. */
function healthCheckRequest(): Buffer {
  const message = Buffer.from([0x0a, service.length, ...Buffer.from(service)]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
