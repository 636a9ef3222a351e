import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import protobuf from 'protobufjs';

/** A span, as a collector shows it. */
export interface Span {
  traceId: string;
  spanId: string;

  /** Empty for the root of a trace. */
  parentSpanId: string;
  name: string;
  service: string;
  headers: Record<string, unknown>;
}

// The part of opentelemetry/proto that a test reads.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resourceSpans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopeSpans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span { bytes traceId = 1; bytes spanId = 2; bytes parentSpanId = 4; string name = 5; }
  message KeyValue { string key = 1; Value value = 2; }
  message Value { string stringValue = 1; }
`);
const requestType = root.lookupType('Request');

interface Decoded {
  resourceSpans?: {
    resource?: { attributes?: { key: string; value?: { stringValue?: string } }[] };
    scopeSpans?: { spans?: { traceId: string; spanId: string; parentSpanId?: string; name: string }[] }[];
  }[];
}

function spansIn(body: Buffer, headers: Record<string, unknown>): Span[] {
  const { resourceSpans = [] } = requestType.toObject(requestType.decode(body), { bytes: String }) as Decoded;
  const hex = (base64 = ''): string => Buffer.from(base64, 'base64').toString('hex');
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const named = resource?.attributes?.find(({ key }) => key === 'service.name');
    const service = named?.value?.stringValue ?? '';
    return scopeSpans
      .flatMap(({ spans = [] }) => spans)
      .map(({ traceId, spanId, parentSpanId, name }) => ({
        traceId: hex(traceId),
        spanId: hex(spanId),
        parentSpanId: hex(parentSpanId),
        name,
        service,
        headers,
      }));
  });
}

/** A collector of OpenTelemetry on this machine, for both of its protocols. */
export class TraceCollector {
  readonly #servers: Server[];
  readonly #sessions: Set<{ destroy: () => void }>;
  readonly spans: Span[];

  private constructor(servers: Server[], sessions: Set<{ destroy: () => void }>, spans: Span[]) {
    this.#servers = servers;
    this.#sessions = sessions;
    this.spans = spans;
  }

  static async start(): Promise<TraceCollector> {
    const spans: Span[] = [];
    const sessions = new Set<{ destroy: () => void }>();
    const http = createHttpServer((request, response) => {
      void bodyOf(request).then((body) => {
        if (request.url === '/v1/traces') for (const span of spansIn(body, request.headers)) spans.push(span);
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
    const grpc = createHttp2Server((request, response) => {
      void bodyOf(request).then((body) => {
        if (request.url.endsWith('TraceService/Export'))
          for (const span of spansIn(body.subarray(5), request.headers)) spans.push(span);
        response.writeHead(200, { 'content-type': 'application/grpc' });
        response.addTrailers({ 'grpc-status': '0' });
        response.end(Buffer.alloc(5)); // a frame with an empty message
      });
    });
    grpc.on('session', (session) => sessions.add(session));
    for (const server of [http, grpc])
      await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
    return new TraceCollector([http, grpc], sessions, spans);
  }

  /** For the protocol http/protobuf. */
  get httpAddress(): string {
    return this.#addressOf(0);
  }

  get grpcAddress(): string {
    return this.#addressOf(1);
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => void server.close(resolve))));
  }

  #addressOf(index: number): string {
    return `http://127.0.0.1:${(this.#servers[index]!.address() as AddressInfo).port}`;
  }
}

async function bodyOf(request: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
