/**
 * Loads Temporal's server, as `nautil up` starts it, with runs of the real workflow, up to the load under which workflow tasks wait for
 * more than a second.
 *
 * The activities of these runs return, at once, what those of one real run returned, so that histories and payloads are those of real
 * runs. Training sends the signals and the heartbeats of a long training, in a hundredth of its time.
 */
import { randomUUID } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { type ResolvedRun, type RunRequest, trainingSignal, type TrainRequest } from '@nautil/contracts';
import { type ServerHandle, startTemporalServer } from '@nautil/stack';
import { printSideOutput } from '../side-output.js';
import { closedLoop, figuresOf, increaseLoad, percentile } from './closed-loop.js';
import { nautil, sst2Overrides, timeCommand } from './command.js';
import { groupUsage } from './group-usage.js';
import { parseRecordedRun, type RecordedRun } from './recorded-run.js';
import { withTemporaryFolder } from './timed-training.js';
import { withServers } from './with-servers.js';

const { values: o } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

const tooLongMs = 1000;
const taskQueue = 'load';
const recordedId = 'recorded';

/** A training sends a hundred signals, at most one in ten seconds, and a heartbeat every two seconds: see SignalThrottle. */
const signals = 100;
const signalIntervalMs = 100;
const heartbeatIntervalMs = 20;

/** The signals of a load run come a hundred times as fast as those of a training. */
const trainingsPerRun = 100;

/** Histories that are read for the waits of workflow tasks. */
const sampledRuns = 16;

/** An idle worker of the role `all`: the SDK's ten polls for workflow tasks, and one for each activity that it may run at a time. */
const pollsPerWorker = 20;
const pollsPerConnection = 100;

/** The server answers an idle poll after a minute. */
const longestPollMs = 70_000;

const seconds = (since: number): number => (performance.now() - since) / 1000;

/** The history of one real run, with a trainer process. */
function recordRun(folder: string): Promise<RecordedRun> {
  return withServers(folder, async (env) => {
    const limits = ['trainer.limit_val_batches=2', 'trainer.limit_test_batches=2'];
    await timeCommand(nautil('run', '--workflow-id', recordedId, ...sst2Overrides(folder, '2'), ...limits), { env });
    const connection = await Connection.connect({ address: `127.0.0.1:${env['NAUTIL_TEMPORAL_PORT'] ?? ''}` });
    try {
      return await historyOf(new Client({ connection }), recordedId);
    } finally {
      await connection.close();
    }
  });
}

const historyOf = async (client: Client, workflowId: string): Promise<RecordedRun> =>
  parseRecordedRun(historyToJSON(await client.workflow.getHandle(workflowId).fetchHistory()));

/** Waits of the workflow tasks of some runs. */
async function taskWaits(client: Client, workflowIds: readonly string[]): Promise<number[]> {
  const histories = await Promise.all(workflowIds.slice(0, sampledRuns).map((id) => historyOf(client, id)));
  return histories.flatMap((history) => history.taskWaits);
}

/** What happened in the trainings of the load. */
interface SignalCounts {
  latencies: number[];
  failures: number;
}

/** The activities of a run that has been recorded. `isLong` decides by the workflow id whether training takes its time. */
function activitiesOf(recorded: RecordedRun, client: Client, counts: SignalCounts) {
  const output = (name: string): unknown => recorded.outputs.get(name);
  const progress = recorded.signals.findLast(({ name }) => name === trainingSignal)?.value;
  const signal = async (workflowId: string): Promise<void> => {
    const sentAt = performance.now();
    try {
      await client.workflow.getHandle(workflowId).signal(trainingSignal, progress);
      counts.latencies.push(performance.now() - sentAt);
    } catch {
      counts.failures++;
    }
  };
  const train = async ({ run: { workflowId } }: TrainRequest): Promise<unknown> => {
    const context = Context.current();
    if (!workflowId.startsWith(longRun)) {
      await signal(workflowId);
      return output('train');
    }
    const beating = setInterval(() => {
      context.heartbeat(progress);
    }, heartbeatIntervalMs);
    const sent: Promise<void>[] = [];
    const startedAt = performance.now();
    try {
      for (let count = 0; count < signals; count++) {
        await sleep(Math.max(0, startedAt + count * signalIntervalMs - performance.now()));
        sent.push(signal(workflowId)); // a training does not wait for it
      }
      await Promise.all(sent);
    } finally {
      clearInterval(beating);
    }
    return output('train');
  };
  const queues = { cpu: taskQueue, gpu: taskQueue, gpuSharesFiles: true };
  const resolveRun = ({ workflowId, runKey }: RunRequest): Promise<ResolvedRun> =>
    Promise.resolve({ ...(output('resolveRun') as ResolvedRun), workflowId, runKey, queues });
  const others = [...recorded.outputs.keys()].map((name) => [name, () => Promise.resolve(output(name))] as const);
  return { ...Object.fromEntries(others), resolveRun, train };
}

/** Begins the ids of runs whose training takes its time. */
const longRun = 'long-';

/** Starts a run and waits for its end. Returns its workflow id. */
async function runToEnd(client: Client, kind: string): Promise<string> {
  const workflowId = `${kind}${randomUUID()}`;
  const handle = await client.workflow.start('textClassification', { taskQueue, workflowId, args: [{}] });
  await handle.result();
  return workflowId;
}

/** The size of the database with its write-ahead log. */
async function databaseBytes(dbFile: string): Promise<number> {
  const names = await readdir(dirname(dbFile));
  const files = names.filter((name) => name.startsWith(basename(dbFile)));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(dirname(dbFile), name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Long trainings at a time. */
async function measureTrainings(runs: number, { client, server, dbFile, counts }: Load) {
  Object.assign(counts, { latencies: [], failures: 0 });
  const [startedAt, before, bytesBefore] = [performance.now(), groupUsage(server.pid), await databaseBytes(dbFile)];
  const own = process.cpuUsage();
  const outcomes = await Promise.allSettled(Array.from({ length: runs }, () => runToEnd(client, longRun)));
  const ids = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const elapsed = seconds(startedAt);
  const after = groupUsage(server.pid);
  const { user, system } = process.cpuUsage(own);
  const waits = await taskWaits(client, ids);
  const events = ids[0] === undefined ? NaN : (await historyOf(client, ids[0])).events;
  return {
    runs,
    trainings: runs * trainingsPerRun,
    events: (ids.length * events) / elapsed,
    p50: percentile(waits, 0.5),
    p99: percentile(waits, 0.99),
    signalP99: percentile(counts.latencies, 0.99),
    failures: counts.failures + runs - ids.length,
    serverCpu: (after.cpuSeconds - before.cpuSeconds) / elapsed,
    loadCpu: (user + system) / 1e6 / elapsed,
    resident: after.residentMb,
    database: ((await databaseBytes(dbFile)) - bytesBefore) / 1e3 / runs,
  };
}

/** Runs without a training, one after the other in each of `callers` loops. */
async function measureShortRuns(callers: number, { client, server }: Load, forSeconds: number) {
  const ids: string[] = [];
  const [startedAt, before] = [performance.now(), groupUsage(server.pid)];
  const { latencies, failures, rate } = await closedLoop({
    callers,
    seconds: forSeconds,
    work: async () => ids.push(await runToEnd(client, 'short-')),
  });
  const serverCpu = (groupUsage(server.pid).cpuSeconds - before.cpuSeconds) / seconds(startedAt);
  const waits = await taskWaits(client, ids.slice(-sampledRuns));
  return {
    ...{ callers, rate, failures, serverCpu },
    run: percentile(latencies, 0.5),
    p50: percentile(waits, 0.5),
    p99: percentile(waits, 0.99),
  };
}

/** Idle workers, as the server sees them: requests that wait for a task. */
async function withIdleWorkers<T>(address: string, workers: number, work: () => Promise<T>) {
  const polls = workers * pollsPerWorker;
  const connections = await Promise.all(
    Array.from({ length: Math.ceil(polls / pollsPerConnection) }, () => Connection.connect({ address })),
  );
  const end = new AbortController();
  const isOver = (): boolean => end.signal.aborted;
  let failures = 0;
  const poll = async (number: number): Promise<void> => {
    const worker = Math.floor(number / pollsPerWorker);
    const connection = connections[Math.floor(number / pollsPerConnection)];
    const request = {
      namespace: 'default',
      // Half of the queues of a worker are shared by all workers, the others by those of its state folder.
      taskQueue: { name: number % 2 === 0 ? 'idle' : `idle@${worker}` },
      identity: `idle-${worker}`,
    };
    while (!isOver()) {
      try {
        await connection?.withDeadline(Date.now() + longestPollMs, () =>
          connection.withAbortSignal(end.signal, () => connection.workflowService.pollActivityTaskQueue(request)),
        );
      } catch {
        if (isOver()) return;
        failures++;
        await sleep(1000);
      }
    }
  };
  const polling = Promise.all(Array.from({ length: polls }, (_, number) => poll(number)));
  try {
    await sleep(3000); // until all polls wait
    return { result: await work(), failures };
  } finally {
    end.abort();
    await polling;
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

async function measureIdleWorkers(workers: number, load: Load) {
  const { address, pid } = load.server;
  const { result, failures } = await withIdleWorkers(address, workers, async () => {
    const before = groupUsage(pid);
    await sleep(5000);
    const after = groupUsage(pid);
    const { p50, p99 } = await measureShortRuns(1, load, 5);
    return { serverCpu: (after.cpuSeconds - before.cpuSeconds) / 5, resident: after.residentMb, p50, p99 };
  });
  return { workers, polls: workers * pollsPerWorker, failures, ...result };
}

interface Load {
  client: Client;
  server: ServerHandle;
  dbFile: string;
  counts: SignalCounts;
}

const isTooSlow = ({ p99, failures }: { p99: number; failures: number }): boolean =>
  !(p99 <= tooLongMs) || failures > 0;

async function measureAll(recorded: RecordedRun, load: Load): Promise<Record<string, number[]>> {
  await Promise.all(Array.from({ length: 4 }, () => runToEnd(load.client, 'short-'))); // the first runs load the workflow's code
  const shortSeconds = o.quick ? 2 : 5;
  const shortRuns = await increaseLoad(
    o.quick ? [1, 4] : [1, 4, 16, 64, 256],
    (callers) => measureShortRuns(callers, load, shortSeconds),
    isTooSlow,
  );
  const trainings = await increaseLoad(
    o.quick ? [1] : [1, 4, 16, 64],
    (runs) => measureTrainings(runs, load),
    isTooSlow,
  );
  const workers = await increaseLoad(
    o.quick ? [1, 4] : [1, 16, 64, 256],
    (count) => measureIdleWorkers(count, load),
    isTooSlow,
  );
  return {
    ...figuresOf('short', shortRuns),
    ...figuresOf('training', trainings),
    ...figuresOf('idle', workers),
    'recorded.events': [recorded.events],
  };
}

const figures = await withTemporaryFolder(async (folder) => {
  const recorded = await recordRun(folder);
  Runtime.install({ logger: new DefaultLogger('ERROR'), workerHeartbeatInterval: null });
  const { resolve } = createRequire(import.meta.url);
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: resolve('@nautil/workflows'),
    payloadConverterPath: resolve('@nautil/workflows/payload-converter'),
    logger: new DefaultLogger('ERROR'),
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { '.js': ['.ts', '.js'] } },
    }),
  });
  const dbFile = join(folder, 'load', 'temporal.db');
  const server = await startTemporalServer({ folder: join(folder, 'load'), dbFile });
  const { address } = server;
  try {
    const [connection, native] = await Promise.all([
      Connection.connect({ address }),
      NativeConnection.connect({ address }),
    ]);
    const client = new Client({ connection });
    const counts: SignalCounts = { latencies: [], failures: 0 };
    const worker = await Worker.create({
      ...{ connection: native, taskQueue, workflowBundle, activities: activitiesOf(recorded, client, counts) },
      maxCachedWorkflows: 1000,
      maxConcurrentActivityTaskExecutions: 1000,
      maxHeartbeatThrottleInterval: heartbeatIntervalMs,
      defaultHeartbeatThrottleInterval: heartbeatIntervalMs,
    });
    const measured = await worker.runUntil(() => measureAll(recorded, { client, server, dbFile, counts }));
    await connection.close();
    await native.close();
    return measured;
  } finally {
    await server.stop();
  }
});
printSideOutput({
  figures,
  notes: [
    `A real run of two steps has a history of ${String(figures['recorded.events']?.[0])} events; each signal of a training adds four`,
    'The runs, their worker and the server share the processors of this machine',
  ],
});
