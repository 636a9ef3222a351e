import type { TelemetryOptions } from '@temporalio/worker';
import { environmentVariable } from '@nautil/store';
import { collectorFor, TelemetrySettingError } from '../otlp-collector.js';

/**
 * Where a worker sends the metrics of Temporal's SDK: slots in use, schedule-to-start latencies, failures, by task queue and type.
 *
 * `NAUTIL_METRICS_ADDRESS` (`host:port`) serves them to Prometheus under `/metrics`. Without it, they go to the collector that
 * OpenTelemetry's variables name; with it, `OTEL_EXPORTER_OTLP_ENDPOINT` is for the traces alone.
 *
 * @throws TelemetrySettingError
 */
export function telemetryOptions(): TelemetryOptions {
  const address = environmentVariable('NAUTIL_METRICS_ADDRESS');
  const collector = collectorFor('METRICS');
  if (address !== undefined && collector !== undefined && isForMetrics(collector.variable))
    throw new TelemetrySettingError(
      `NAUTIL_METRICS_ADDRESS and ${collector.variable} are both set, and a worker has one exporter of metrics`,
      { hint: 'unset one of them' },
    );
  if (address !== undefined) return { metrics: { prometheus: { bindAddress: listenAddress(address) } } };
  if (collector === undefined) return {};
  const { url, protocol, headers } = collector;
  return { metrics: { otel: { url, http: protocol === 'http/protobuf', headers } } };
}

const isForMetrics = (variable: string): boolean => variable.includes('METRICS');

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
