import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { telemetryOptions, withTelemetry } from './telemetry.js';

const before = { ...process.env };
beforeEach(() => {
  for (const name of Object.keys(process.env))
    if (/^OTEL_|^NAUTIL_METRICS/.test(name)) Reflect.deleteProperty(process.env, name);
});
afterEach(() => {
  process.env = { ...before };
});

const withVariables = (variables: Record<string, string>) => {
  Object.assign(process.env, variables);
  return telemetryOptions();
};

test('an address that cannot be served is an error with a remedy, without a stack of the SDK', () => {
  process.env['NAUTIL_METRICS_ADDRESS'] = '127.0.0.1:9464';
  const install = (): void => {
    throw new Error('Address already in use');
  };
  expect(() => withTelemetry(install)).toThrow(
    expect.objectContaining({ kind: 'usage', message: expect.stringContaining('Address already in use') }),
  );
});

test('without variables there is no exporter', () => expect(telemetryOptions()).toEqual({}));

test.each([
  ['127.0.0.1:9464', '127.0.0.1:9464'],
  ['0.0.0.0:9464', '0.0.0.0:9464'],
  ['localhost:9464', '127.0.0.1:9464'],
  ['[::1]:9464', '[::1]:9464'],
])('NAUTIL_METRICS_ADDRESS=%s serves Prometheus at %s', (address, bindAddress) =>
  expect(withVariables({ NAUTIL_METRICS_ADDRESS: address })).toEqual({ metrics: { prometheus: { bindAddress } } }),
);

describe("OpenTelemetry's variables name a collector", () => {
  const endpoint = 'http://c:4317';
  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, { url: endpoint, http: false, headers: {} }],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
      { url: 'http://c:4318/v1/metrics', http: true, headers: {} },
    ],
    [
      { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://c/m', OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf' },
      { url: 'http://c/m', http: true, headers: {} },
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a=b, x=1%' },
      { url: endpoint, http: false, headers: { authorization: 'Bearer a=b', x: '1%' } },
    ],
  ])('%j', (variables, otel) => expect(withVariables(variables)).toEqual({ metrics: { otel } }));
});

test('with an address for Prometheus, the common collector is for traces alone', () =>
  expect(withVariables({ NAUTIL_METRICS_ADDRESS: '127.0.0.1:9464', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c' })).toEqual({
    metrics: { prometheus: { bindAddress: '127.0.0.1:9464' } },
  }));

test.each([{ OTEL_METRICS_EXPORTER: 'none' }, { OTEL_SDK_DISABLED: 'true' }])('%j sends no metrics', (variables) =>
  expect(withVariables({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', ...variables })).toEqual({}),
);

test.each<[Record<string, string>, RegExp]>([
  [{ NAUTIL_METRICS_ADDRESS: '9464' }, /^NAUTIL_METRICS_ADDRESS=9464 is not/],
  [{ NAUTIL_METRICS_ADDRESS: '127.0.0.1:0' }, /^NAUTIL_METRICS_ADDRESS=127.0.0.1:0 is not/],
  [{ NAUTIL_METRICS_ADDRESS: '127.0.0.1:99999' }, /is not the address/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4317' }, /^OTEL_EXPORTER_OTLP_ENDPOINT=c:4317 is not an http/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, /http\/json is not supp/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_HEADERS: 'key' }, /a part that is not NAME=VALUE/],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://c', NAUTIL_METRICS_ADDRESS: '127.0.0.1:9464' }, /are both set/],
  [{ OTEL_METRICS_EXPORTER: 'otlp', NAUTIL_METRICS_ADDRESS: '127.0.0.1:9464' }, /are both set/],
  [{ OTEL_METRICS_EXPORTER: 'prometheus' }, /^OTEL_METRICS_EXPORTER=prometheus is not supported/],
])('%j is an error that names the variable', (variables, message) =>
  expect(() => withVariables(variables)).toThrow(
    expect.objectContaining({ kind: 'usage', message: expect.stringMatching(message) }),
  ),
);
