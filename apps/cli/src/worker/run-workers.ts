import { createRequire } from 'node:module';
import { createActivities } from '@nautil/activities';
import { gpuTaskQueue, homeTaskQueue, TemporalUnreachable, trainingSignal } from '@nautil/contracts';
import { homeId, openArtifactStore } from '@nautil/store';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import type { WorkerSettings } from './worker-options.js';

/** A training that is interrupted writes a checkpoint before the worker ends. */
const graceTime = '2 minutes';

/** Activities of the cpu role at a time, on each of its queues. */
const cpuStages = 4;

/** Workflows that are kept ready in memory; others are replayed from their history when they go on. */
const cachedWorkflows = 50;

/**
 * Runs the workers of a role until SIGINT or SIGTERM, then lets their stages end: training hands over with a checkpoint.
 *
 * Each role takes from two queues: that of everybody, and that of the workers that share this state folder, where the later
 * stages of the runs that began here are.
 */
export async function runWorkers({ role, taskQueue, trainings }: WorkerSettings): Promise<void> {
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
  const home = await homeId();
  const ofHome = { cpu: homeTaskQueue(taskQueue, home), gpu: homeTaskQueue(gpuTaskQueue(taskQueue), home) };
  const activities = createActivities({
    trackingUri,
    signalProgress: (workflowId, progress) => client.workflow.getHandle(workflowId).signal(trainingSignal, progress),
    home,
    artifacts: openArtifactStore(),
    isPolled: async (queue) => (role === 'all' && queue === ofHome.gpu) || isPolled(client, queue),
    trainings,
  });
  const common: WorkerOptions = {
    connection,
    taskQueue,
    activities,
    // NOTE: the SDK's shutdownGraceTime passes before activities hear of the shutdown: training would go on for as long.
    shutdownForceTime: graceTime,
    // NOTE: the SDK's default lets a minute pass between heartbeats, whatever the stage says.
    maxHeartbeatThrottleInterval: '2 seconds',
    defaultHeartbeatThrottleInterval: '2 seconds',
  };
  const workers: Worker[] = [];
  if (role !== 'gpu') {
    const cpu = { ...common, maxConcurrentActivityTaskExecutions: cpuStages };
    const workflowBundle = await bundleWorkflows();
    workers.push(await Worker.create({ ...cpu, workflowBundle, maxCachedWorkflows: cachedWorkflows }));
    workers.push(await Worker.create({ ...cpu, taskQueue: ofHome.cpu }));
  }
  if (role !== 'cpu') {
    for (const queue of [gpuTaskQueue(taskQueue), ofHome.gpu])
      workers.push(
        await Worker.create({ ...common, taskQueue: queue, maxConcurrentActivityTaskExecutions: trainings }),
      );
  }
  process.stderr.write(
    `worker ready: role ${role}, task queue ${taskQueue}, state folder ${home}, Temporal at ${address}\n`,
  );
  try {
    await Promise.all(workers.map((worker) => worker.run()));
  } finally {
    await connection.close();
  }
}

/** Whether a worker has asked for activities of a queue in the last minutes. */
async function isPolled(client: Client, taskQueue: string): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: 2, // activities
  });
  return (pollers ?? []).length > 0;
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
