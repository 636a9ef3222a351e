import type { TelemetryOptions } from '@temporalio/worker';
import { defineError } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';

/** A variable that configures the metrics of a worker is invalid. */
class TelemetrySettingError extends defineError('TelemetrySettingError', 'usage') {}

/**
 * Where a worker sends the metrics of Temporal's SDK: slots in use, schedule-to-start latencies, failures, by task queue and type.
 *
 * `NAUTIL_METRICS_ADDRESS` (`host:port`) serves them to Prometheus under `/metrics`. `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, or
 * `OTEL_EXPORTER_OTLP_ENDPOINT`, pushes them to a collector, by the variables of OpenTelemetry
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
 *
 * @throws TelemetrySettingError
 */
export function telemetryOptions(): TelemetryOptions {
  const address = environmentVariable('NAUTIL_METRICS_ADDRESS');
  const collector = collectorOf();
  if (address !== undefined && collector !== undefined)
    throw new TelemetrySettingError(
      `NAUTIL_METRICS_ADDRESS and ${collector.variable} are both set, and a worker has one exporter of metrics`,
      { hint: 'unset one of them' },
    );
  if (address !== undefined) return { metrics: { prometheus: { bindAddress: listenAddress(address) } } };
  if (collector === undefined) return {};
  const { url, isHttp, headers } = collector;
  return { metrics: { otel: { url, http: isHttp, headers } } };
}

/** Calls `install` with the options. @throws TelemetrySettingError if the metrics cannot be served, such as at a port in use */
export function withTelemetry(install: (options: TelemetryOptions) => void): void {
  const options = telemetryOptions();
  try {
    install(options);
  } catch (cause) {
    if (options.metrics === undefined) throw cause;
    throw new TelemetrySettingError(
      `the metrics of this worker cannot be exported: ${cause instanceof Error ? cause.message : String(cause)}`,
      { hint: 'choose another address in NAUTIL_METRICS_ADDRESS or OTEL_EXPORTER_OTLP_ENDPOINT, or unset it', cause },
    );
  }
}

/** The SDK takes an IP address and a port. */
function listenAddress(text: string): string {
  const address = text.replace(/^localhost:/, '127.0.0.1:');
  const [, host, port] = /^(\d+\.\d+\.\d+\.\d+|\[[\da-f:]+\]):(\d+)$/i.exec(address) ?? [];
  if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return address;
  throw new TelemetrySettingError(`NAUTIL_METRICS_ADDRESS=${text} is not the address of a port of this machine`, {
    hint: 'give an IP address and a port: 127.0.0.1:9464, or 0.0.0.0:9464 for a Prometheus on another machine',
  });
}

interface Collector {
  variable: string;
  url: string;
  isHttp: boolean;
  headers: Record<string, string>;
}

function collectorOf(): Collector | undefined {
  const [own, common] = ['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const;
  const variable = [own, common].find((name) => environmentVariable(name) !== undefined);
  if (variable === undefined) return undefined;
  const endpoint = environmentVariable(variable) ?? '';
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new TelemetrySettingError(`${variable}=${endpoint} is not an http or https address`, {
      hint: 'give the address of a collector: http://127.0.0.1:4317',
    });
  const protocol =
    environmentVariable('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL') ??
    environmentVariable('OTEL_EXPORTER_OTLP_PROTOCOL') ??
    'grpc';
  if (protocol !== 'grpc' && protocol !== 'http/protobuf')
    throw new TelemetrySettingError(`OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} is not supported`, {
      hint: 'use grpc or http/protobuf',
    });
  const isHttp = protocol === 'http/protobuf';
  // By the specification, only the endpoint of one signal is used as it is.
  const url = isHttp && variable === common ? `${endpoint.replace(/\/$/, '')}/v1/metrics` : endpoint;
  return { variable, url, isHttp, headers: headersOf(environmentVariable('OTEL_EXPORTER_OTLP_HEADERS') ?? '') };
}

/** `key=value,key=value`, percent-encoded. */
function headersOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new TelemetrySettingError('OTEL_EXPORTER_OTLP_HEADERS has a part that is not NAME=VALUE', {
          hint: 'separate the headers with commas: authorization=Bearer%20KEY,x-team=a',
        });
      return [pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())];
    }),
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
