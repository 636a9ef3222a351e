import { connect } from 'node:http2';

const service = 'temporal.api.workflowservice.v1.WorkflowService';

/**
 * Whether a Temporal server answers SERVING at an address (`host:port`, no TLS). Asked by a bare gRPC health check: loading
 * Temporal's client for it would cost every `nautil status` half a second.
 */
export function isTemporalServing(address: string, timeoutMs = 2000): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const answer = (serving: boolean): void => {
      session.destroy();
      resolve(serving);
    };
    session.setTimeout(timeoutMs, () => answer(false));
    session.on('error', () => answer(false));
    session.on('close', () => answer(false)); // a server that is starting may close without an error
    const request = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    request.on('error', () => answer(false));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A gRPC frame (5 bytes of header) around HealthCheckResponse { status = 1: SERVING }.
    request.on('end', () =>
      answer(
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
