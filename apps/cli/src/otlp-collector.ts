import { defineError } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';

/** A variable that says where metrics or traces are sent is invalid. */
export class TelemetrySettingError extends defineError('TelemetrySettingError', 'usage') {}

/** Where one kind of telemetry is sent. */
export interface Collector {
  /** The variable that names it. */
  variable: string;
  url: string;
  protocol: 'grpc' | 'http/protobuf';
  headers: Record<string, string>;
}

/**
 * The collector for metrics or traces, by the variables of OpenTelemetry (https://opentelemetry.io/docs/specs/otel/protocol/exporter/):
 * `OTEL_EXPORTER_OTLP_ENDPOINT`, `_PROTOCOL` and `_HEADERS`, each also for one signal (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`).
 * `OTEL_METRICS_EXPORTER` and `OTEL_TRACES_EXPORTER` take `otlp` or `none`.
 *
 * @returns undefined if none is named, or if the exporter is `none`
 * @throws TelemetrySettingError
 */
export function collectorFor(signal: 'METRICS' | 'TRACES'): Collector | undefined {
  if (/^true$/i.test(environmentVariable('OTEL_SDK_DISABLED') ?? '')) return undefined;
  const isChosen = isExporterChosen(signal);
  if (isChosen === false) return undefined;
  const [own, common] = [`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`, 'OTEL_EXPORTER_OTLP_ENDPOINT'];
  const variable = [own, common].find((name) => environmentVariable(name) !== undefined);
  const protocol = protocolFor(signal);
  if (variable === undefined) {
    if (isChosen === undefined) return undefined;
    const url = protocol === 'grpc' ? 'http://127.0.0.1:4317' : `http://127.0.0.1:4318/v1/${signal.toLowerCase()}`;
    return { variable: `OTEL_${signal}_EXPORTER`, url, protocol, headers: headersFor(signal) };
  }
  const endpoint = environmentVariable(variable) ?? '';
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new TelemetrySettingError(`${variable}=${endpoint} is not an http or https address`, {
      hint: 'give the address of a collector: http://127.0.0.1:4317',
    });
  // By the specification, only the endpoint of one signal is used as it is.
  const isBase = protocol === 'http/protobuf' && variable === common;
  const url = isBase ? `${endpoint.replace(/\/$/, '')}/v1/${signal.toLowerCase()}` : endpoint;
  return { variable, url, protocol, headers: headersFor(signal) };
}

/** Undefined if no variable says so. */
function isExporterChosen(signal: string): boolean | undefined {
  const name = `OTEL_${signal}_EXPORTER`;
  const exporter = environmentVariable(name);
  if (exporter === undefined) return undefined;
  if (exporter === 'otlp') return true;
  if (exporter === 'none') return false;
  throw new TelemetrySettingError(`${name}=${exporter} is not supported`, {
    hint:
      signal === 'METRICS'
        ? 'use otlp or none; NAUTIL_METRICS_ADDRESS serves the metrics to Prometheus'
        : 'use otlp or none',
  });
}

function protocolFor(signal: string): Collector['protocol'] {
  for (const name of [`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`, 'OTEL_EXPORTER_OTLP_PROTOCOL']) {
    const protocol = environmentVariable(name);
    if (protocol === undefined) continue;
    if (protocol === 'grpc' || protocol === 'http/protobuf') return protocol;
    throw new TelemetrySettingError(`${name}=${protocol} is not supported`, { hint: 'use grpc or http/protobuf' });
  }
  return 'grpc';
}

/** Headers for one signal are added to those for all of them. */
function headersFor(signal: string): Record<string, string> {
  return { ...headersIn('OTEL_EXPORTER_OTLP_HEADERS'), ...headersIn(`OTEL_EXPORTER_OTLP_${signal}_HEADERS`) };
}

/** `key=value,key=value`, percent-encoded. */
function headersIn(name: string): Record<string, string> {
  const pairs = (environmentVariable(name) ?? '').split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new TelemetrySettingError(`${name} has a part that is not NAME=VALUE`, {
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
