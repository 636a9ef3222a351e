import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type LogEntry,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions as TemporalWorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { allowedVariables, groupSecret, OutputRoots } from '@nautil/activities';
import { createActivities } from '@nautil/activities/worker';
import {
  gpuTaskQueue,
  homeTaskQueue,
  memberSignal,
  type Placement,
  placementQuery,
  trainingSignal,
} from '@nautil/contracts';
import { stackAddresses } from '@nautil/stack';
import { openArtifactStore } from '@nautil/store';
import { homeId } from '@nautil/store/folders';
import { unreachable } from '../connect-to-temporal.js';
import { stopListeningForInterruption } from '../interruption.js';
import { ignoreOutputErrors, printMessage } from '../output.js';
import { openTracing } from '../tracing.js';
import { workflowUrl } from '../workflow-url.js';
import { workingFolder } from '../working-folder.js';
import { deploymentVersion } from './deployment-version.js';
import { memberAddresses } from './member-address.js';
import { readyLine } from './ready-line.js';
import { runTogether, WorkerErrors } from './run-together.js';
import { withTelemetry } from './telemetry.js';

export interface WorkerOptions {
  /** cpu: workflows, and every stage but training and evaluation; gpu: training and evaluation; all: both. */
  role: 'cpu' | 'gpu' | 'all';
  taskQueue: string;

  /** Trainings and evaluations at a time. On a machine with GPUs, each has those that its `trainer.devices` asks for to itself. */
  trainings: number;
}

/** How long stages may take to end after a signal. A training writes a checkpoint in this time. */
const shutdownForceTime = '2 minutes';

/** Activities at a time on each queue of the cpu role. */
const cpuActivities = 4;

const shutdownSignals = ['SIGINT', 'SIGTERM'] as const;

/** Time in which a supervisor passes a signal on, even on a busy machine. */
const passedOnWithinMs = 3000;

/** Workflows that stay in memory; others are replayed from their history when they continue. */
const maxCachedWorkflows = 50;

/**
 * Runs the workers of a role until SIGINT or SIGTERM, then lets their stages end.
 *
 * Each role polls two queues: one that all workers share, and one of the workers that share this state folder, because the
 * later stages of a run need the files of the earlier ones.
 */
export async function runWorkers({ role, taskQueue, trainings }: WorkerOptions): Promise<void> {
  const { temporal } = stackAddresses();
  const { address, namespace, security } = temporal;
  const reserveAddress = memberAddresses(address);
  const secret = groupSecret();
  const trackingUri = process.env['MLFLOW_TRACKING_URI'] ?? 'http://127.0.0.1:5000';
  stopListeningForInterruption();
  ignoreOutputErrors();
  endOnUnexpectedErrors();
  const errors = new WorkerErrors();
  const log = (entry: LogEntry): void => {
    errors.record(entry);
    writeLogEntry(entry);
  };
  withTelemetry((telemetryOptions) => {
    const logger = new DefaultLogger('INFO', log);
    Runtime.install({ shutdownSignals: [...shutdownSignals], logger, telemetryOptions });
  });
  const tracing = await openTracing();
  ignoreRepeatedSignals();
  const connection = await NativeConnection.connect({ address, ...security }).catch(async (error: unknown) => {
    throw await unreachable(temporal, error);
  });
  const client = new Client({ connection: Connection.lazy({ address, ...security }), namespace });
  const home = await homeId();
  const homeQueues = { cpu: homeTaskQueue(taskQueue, home), gpu: homeTaskQueue(gpuTaskQueue(taskQueue), home) };
  const activities = createActivities({
    trackingUri,
    // The address may be recorded after the worker has started.
    workflowUrl: (workflowId) => workflowUrl(stackAddresses().temporalUiUrl, { namespace, workflowId }),
    signalProgress: (workflowId, progress) => client.workflow.getHandle(workflowId).signal(trainingSignal, progress),
    stateFolderId: home,
    artifacts: openArtifactStore(),
    isPolled: async (queue) => (role === 'all' && queue === homeQueues.gpu) || isPolled(client, queue),
    trainings,
    trainsHere: role !== 'cpu',
    group: {
      reserveAddress,
      secret,
      signalPlaced: (workflowId, placed) => client.workflow.getHandle(workflowId).signal(memberSignal, placed),
      queryPlacement: (workflowId) => client.workflow.getHandle(workflowId).query<Placement>(placementQuery),
    },
    allowedEnv: allowedVariables(),
    outputs: OutputRoots.ofWorker(workingFolder()),
  });
  const version = deploymentVersion();
  const common: TemporalWorkerOptions = {
    ...(version && { workerDeploymentOptions: version }),
    ...tracing?.workerOptions,
    connection,
    namespace,
    taskQueue,
    activities,
    // NOTE: not shutdownGraceTime: activities learn of the shutdown only after it, so training would continue for as long.
    shutdownForceTime,
    // NOTE: the SDK's default throttles heartbeats to one per minute, however often a stage sends them.
    maxHeartbeatThrottleInterval: '2 seconds',
    defaultHeartbeatThrottleInterval: '2 seconds',
  };
  const workers: Worker[] = [];
  if (role !== 'gpu') {
    const cpu = { ...common, maxConcurrentActivityTaskExecutions: cpuActivities };
    const workflowBundle = await bundledWorkflows(tracing !== undefined);
    workers.push(await Worker.create({ ...cpu, workflowBundle, maxCachedWorkflows }));
    workers.push(await Worker.create({ ...cpu, taskQueue: homeQueues.cpu }));
  }
  if (role !== 'cpu') {
    for (const queue of [gpuTaskQueue(taskQueue), homeQueues.gpu])
      workers.push(
        await Worker.create({ ...common, taskQueue: queue, maxConcurrentActivityTaskExecutions: trainings }),
      );
  }
  printMessage(
    `${readyLine} role ${role}, task queue ${taskQueue}, state folder ${home}, Temporal at ${address}, namespace ${namespace}`,
  );
  try {
    await runTogether(workers, errors);
  } catch (error) {
    await tracing?.close();
    // NOTE: not thrown: what the failed worker left behind might keep the process alive.
    end(`${(error as Error).message}; all workers of this process have stopped`);
  }
  await tracing?.close();
  await connection.close();
}

/**
 * Ignores a signal that soon follows another: Ctrl-C and `nautil down` signal the supervisor and the worker, and the supervisor passes
 * the signal on. A later one ends the process. NOTE: the SDK handles only the first, so that any other would end the process.
 */
function ignoreRepeatedSignals(): void {
  let firstMs: number | undefined;
  for (const name of shutdownSignals)
    process.on(name, () => {
      firstMs ??= performance.now();
      if (performance.now() - firstMs > passedOnWithinMs) process.exit(130);
    });
}

/** Ends the process in such a way that a supervisor restarts it. */
function end(message: string): never {
  printMessage(`error: ${message}`);
  process.exit(1);
}

/** After a defect the state of the process is unknown, whereas a restart is safe: see docs/decisions/015-an-error-has-a-listener.md. */
function endOnUnexpectedErrors(): void {
  process.on('uncaughtException', (error) => {
    const { message, stack = message } = error;
    printMessage(stack);
    end(`an unexpected error ended the worker: ${message}`);
  });
}

/** Writes an entry of the worker's log as the SDK does, but without control characters and secrets in it. */
function writeLogEntry({ level, timestampNanos, message, meta }: LogEntry): void {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  printMessage([time, `[${level}]`, message, ...(meta === undefined ? [] : [inspect(meta)])].join(' '));
}

/** Whether a worker has polled a queue for activities in the last minutes. */
async function isPolled(client: Client, taskQueue: string): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  });
  return pollers.length > 0;
}

/**
 * The workflows as one script for Temporal's sandbox: built ahead of time in a package, built here in a checkout. The interceptors are part
 * of the script, so there is one with them and one without.
 */
async function bundledWorkflows(isTraced: boolean): Promise<WorkflowBundleOption> {
  const name = isTraced ? './traced-workflow-bundle.js' : './workflow-bundle.js';
  const codePath = fileURLToPath(new URL(name, import.meta.url));
  if (existsSync(codePath)) return { codePath };
  const { resolve } = createRequire(import.meta.url);
  return bundleWorkflowCode({
    workflowsPath: resolve('@nautil/workflows'),
    payloadConverterPath: resolve('@nautil/workflows/payload-converter'),
    workflowInterceptorModules: isTraced ? [resolve('@nautil/workflows/tracing')] : [],
    webpackConfigHook: (config) => ({
      ...config,
      // TypeScript's `.js` imports name `.ts` files.
      resolve: { ...config.resolve, extensionAlias: { '.js': ['.ts', '.js'] } },
    }),
  });
}
