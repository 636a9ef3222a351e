import { createRequire } from 'node:module';
import { createActivities } from '@nautil/activities';
import { gpuTaskQueue, NautilError, trainingSignal } from '@nautil/contracts';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';

/** No Temporal server answers. */
class TemporalUnreachable extends NautilError {
  override readonly name = 'TemporalUnreachable';
  readonly kind = 'environment';
  override readonly retryable = true;
}

class UnknownRole extends NautilError {
  override readonly name = 'UnknownRole';
  readonly kind = 'usage';
}

/** A training that is interrupted writes a checkpoint before the worker ends. */
const graceTime = '2 minutes';

/**
 * Runs the workers of a role until SIGINT or SIGTERM, then lets their stages end: training hands over with a checkpoint.
 *
 * @param o.trainings - trainings at a time; each takes a whole device.
 */
export async function runWorkers(o: { role: string; taskQueue: string; trainings: number }): Promise<void> {
  if (!['cpu', 'gpu', 'all'].includes(o.role)) throw new UnknownRole(`--role is ${o.role}, not cpu, gpu or all`);
  const address = process.env['NAUTIL_TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233';
  const trackingUri = process.env['MLFLOW_TRACKING_URI'] ?? 'http://127.0.0.1:5000';
  Runtime.install({ shutdownSignals: ['SIGINT', 'SIGTERM'] });
  const connection = await NativeConnection.connect({ address }).catch((error: unknown) => {
    throw new TemporalUnreachable(`no Temporal server answers at ${address}`, {
      hint: '`npx nautil up` starts one here; NAUTIL_TEMPORAL_ADDRESS names one elsewhere',
      cause: error,
    });
  });
  const client = new Client({ connection: Connection.lazy({ address }) });
  const activities = createActivities({
    trackingUri,
    signalProgress: (workflowId, progress) => client.workflow.getHandle(workflowId).signal(trainingSignal, progress),
  });
  const common: WorkerOptions = {
    connection,
    taskQueue: o.taskQueue,
    activities,
    shutdownGraceTime: graceTime,
    // NOTE: the SDK's default lets a minute pass between heartbeats, whatever the stage says.
    maxHeartbeatThrottleInterval: '2 seconds',
    defaultHeartbeatThrottleInterval: '2 seconds',
  };
  const workers: Worker[] = [];
  if (o.role !== 'gpu') {
    const workflowBundle = await bundleWorkflows();
    workers.push(await Worker.create({ ...common, workflowBundle, maxConcurrentActivityTaskExecutions: 4 }));
  }
  if (o.role !== 'cpu') {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: gpuTaskQueue(o.taskQueue),
        maxConcurrentActivityTaskExecutions: o.trainings,
      }),
    );
  }
  process.stderr.write(`worker ready: role ${o.role}, task queue ${o.taskQueue}, Temporal at ${address}\n`);
  try {
    await Promise.all(workers.map((worker) => worker.run()));
  } finally {
    await connection.close();
  }
}

/** The workflows as one script for Temporal's sandbox; TypeScript's `.js` imports name `.ts` files. */
function bundleWorkflows(): ReturnType<typeof bundleWorkflowCode> {
  return bundleWorkflowCode({
    workflowsPath: createRequire(import.meta.url).resolve('@nautil/workflows'),
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { '.js': ['.ts', '.js'] } },
    }),
  });
}
