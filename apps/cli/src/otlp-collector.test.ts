import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { collectorFor } from './otlp-collector.js';
import { openTracing } from './tracing.js';

const before = { ...process.env };
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) Reflect.deleteProperty(process.env, name);
});
afterEach(() => {
  process.env = { ...before };
});

const endpoint = 'http://c:4318';

test.each([
  [{}, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, { url: endpoint, protocol: 'grpc' }],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/`, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
    { url: `${endpoint}/v1/traces`, protocol: 'http/protobuf' },
  ],
  [
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://metrics',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/t',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf',
    },
    { url: 'http://c/t', protocol: 'http/protobuf' },
  ],
  [
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: 'a=1,b=2',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=3',
    },
    { headers: { a: '1', b: '3' } },
  ],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, { url: 'http://127.0.0.1:4317', protocol: 'grpc' }],
  [
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
    { url: 'http://127.0.0.1:4318/v1/traces' },
  ],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: 'none' }, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'true' }, undefined],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint }, undefined],
])('traces with %j are sent to %j', (variables, collector) => {
  Object.assign(process.env, variables);
  const found = collectorFor('TRACES');
  if (collector === undefined) expect(found).toBeUndefined();
  else expect(found).toMatchObject(collector);
});

test.each([
  [{ OTEL_TRACES_EXPORTER: 'console' }, 'OTEL_TRACES_EXPORTER=console is not supported'],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'c:4317' }, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=c:4317 is not'],
  [
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' },
    'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json is not supported',
  ],
  [
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'key' },
    'OTEL_EXPORTER_OTLP_TRACES_HEADERS has a part',
  ],
])('%j is an error that names the variable', (variables, message) => {
  Object.assign(process.env, variables);
  expect(() => collectorFor('TRACES')).toThrow(
    expect.objectContaining({ kind: 'usage', message: expect.stringContaining(message) }),
  );
});

test('without a collector, nothing is traced', async () => expect(await openTracing()).toBeUndefined());
