import { inspect } from 'node:util';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import { type Collector, collectorFor, TelemetrySettingError } from './otlp-collector.js';
import { printMessage } from './output.js';

/** Traces of workflows and activities, by the interceptors of Temporal's SDK. */
export interface Tracing {
  /** A span for each workflow that a client starts, and for each update that it sends. The workflow's spans are below it. */
  clientInterceptors: WorkflowClientInterceptor[];

  /** A span for each activity, and the way out of the sandbox for the spans of workflows. */
  workerOptions: Pick<WorkerOptions, 'interceptors' | 'sinks'>;

  /** Sends the spans that have ended. Does not fail. */
  close: () => Promise<void>;
}

/** How long one attempt to send spans may take: the end of a command waits for it. OpenTelemetry's default is ten seconds. */
const exportTimeoutMs = 5000;

/**
 * Starts to trace if OpenTelemetry's variables name a collector for traces. OpenTelemetry also reads `OTEL_SERVICE_NAME`,
 * `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_PROPAGATORS` and `OTEL_BSP_*`.
 *
 * @returns undefined without such variables: nothing of OpenTelemetry is loaded
 * @throws TelemetrySettingError
 */
export async function openTracing(): Promise<Tracing | undefined> {
  const collector = collectorFor('TRACES');
  if (collector === undefined) return undefined;
  const [{ BasicTracerProvider, BatchSpanProcessor }, resources, { AsyncLocalStorageContextManager }, client, worker] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/context-async-hooks'),
      import('@temporalio/interceptors-opentelemetry/lib/client/index.js'),
      import('@temporalio/interceptors-opentelemetry/lib/worker/index.js'),
    ]);
  await reportFailuresOnce(collector);
  const { attributes } = resources.detectResourcesSync({ detectors: [resources.envDetectorSync] });
  const resource = new resources.Resource({ 'service.name': 'nautil', ...attributes });
  const processor = new BatchSpanProcessor(await exporterFor(collector));
  const provider = new BasicTracerProvider({ resource, spanProcessors: [processor] });
  provider.register({ contextManager: new AsyncLocalStorageContextManager().enable() });
  return {
    clientInterceptors: [withoutReads(new client.OpenTelemetryWorkflowClientInterceptor())],
    workerOptions: {
      interceptors: {
        activity: [
          (context) => ({
            inbound: new worker.OpenTelemetryActivityInboundInterceptor(context),
            outbound: new worker.OpenTelemetryActivityOutboundInterceptor(context),
          }),
        ],
      },
      sinks: { exporter: worker.makeWorkflowExporter(processor, resource) },
    },
    close: () => provider.shutdown().catch(() => undefined),
  };
}

/** Leaves out queries and descriptions: following a run sends one of them every second. */
function withoutReads(all: WorkflowClientInterceptor): WorkflowClientInterceptor {
  return {
    startWithDetails: (input, next) => all.startWithDetails?.(input, next) ?? next(input),
    startUpdate: (input, next) => all.startUpdate?.(input, next) ?? next(input),
    cancel: (input, next) => all.cancel?.(input, next) ?? next(input),
  };
}

/** The exporters read the headers, certificates and compression from the variables themselves. */
async function exporterFor({ url, protocol, variable }: Collector) {
  const { OTLPTraceExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-trace-otlp-grpc')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  try {
    return new OTLPTraceExporter({ url, timeoutMillis: exportTimeoutMs });
  } catch (cause) {
    throw new TelemetrySettingError(
      `traces cannot be sent to ${url}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { hint: `correct ${variable} or OTEL_EXPORTER_OTLP_HEADERS`, cause },
    );
  }
}

/** A collector that is down does not stop a run. */
async function reportFailuresOnce({ url }: Collector): Promise<void> {
  const { setGlobalErrorHandler } = await import('@opentelemetry/core');
  let hasReported = false;
  setGlobalErrorHandler((error: unknown) => {
    if (hasReported) return;
    hasReported = true;
    const reason = error instanceof Error ? error.message : inspect(error);
    printMessage(`warning: traces cannot be sent to ${url}, and are lost until it answers: ${reason}`);
  });
}
