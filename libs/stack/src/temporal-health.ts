import { connect } from 'node:http2';

const service = 'temporal.api.workflowservice.v1.WorkflowService';

/**
 * Whether a Temporal server at an address (`host:port`, no TLS) reports SERVING. This is a bare gRPC health check, because
 * loading Temporal's client would add half a second to every `nautil status`.
 */
export function isTemporalServing(address: string, timeoutMs = 2000): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const settle = (isServing: boolean): void => {
      session.destroy();
      resolve(isServing);
    };
    session.setTimeout(timeoutMs, () => settle(false));
    session.on('error', () => settle(false));
    session.on('close', () => settle(false)); // a server that is starting may close the connection without an error
    const request = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    request.on('error', () => settle(false));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A gRPC frame (5 bytes of header) around HealthCheckResponse { status = 1: SERVING }.
    request.on('end', () =>
      settle(
        Buffer.concat(chunks)
          .subarray(5)
          .equals(Buffer.from([0x08, 0x01])),
      ),
    );
    request.end(healthCheckRequest());
  });
}

/** A gRPC frame around HealthCheckRequest { service = 1 }. */
function healthCheckRequest(): Buffer {
  const message = Buffer.from([0x0a, service.length, ...Buffer.from(service)]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
