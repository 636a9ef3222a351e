import { join } from 'node:path';
import { withLock } from '@nautil/store';
import { defaultFolder, nautilHome } from '@nautil/store/folders';
import { ServerUnreachable } from './errors.js';
import { mlflowProblem, mlflowVersionAt, startMlflowServer } from './mlflow-server.js';
import type { ServerStatus } from './server-status.js';
import type { ServerName, StackPorts, StackRecord } from './stack-record.js';
import { endRecorded, liveProcess, readRecord, stackLock, writeRecord } from './stack-record.js';
import {
  type ResolvedSettings,
  resolveSettings,
  stackAddresses,
  StackSettingError,
  type StackSettings,
} from './stack-settings.js';
import { type RunningProcess, startProcess, untilReady } from './start-process.js';
import { isPlain, plainConnection } from './temporal-connection.js';
import { isTemporalServing, temporalProblem } from './temporal-health.js';
import { registerSearchAttributes, startTemporalServer } from './temporal-server.js';
import { isPolledByGroup, workerStatus } from './worker-status.js';

/** A worker to run beside the servers, from the workspace root. */
export interface WorkerSpec {
  command: string;
  args: string[];
  taskQueue: string;
  env?: NodeJS.ProcessEnv;
}

export interface StartOptions extends StackSettings {
  worker?: WorkerSpec | undefined;

  /** Called with messages of one line for the user. */
  onProgress?: (line: string) => void;

  /** Aborts the start; everything that this call has started is stopped again. */
  signal?: AbortSignal;
}

export interface StartedStack {
  servers: ServerStatus[];

  /** The parts that this call started. */
  started: ServerName[];
}

/**
 * Starts those of Temporal, MLflow and the worker that are not running, and waits until all of them respond. A server that
 * is found on its port, or whose address is given, is used as it is and never stopped. When one part fails, everything that
 * this call has started is stopped.
 *
 * @throws PortInUse, ServerFailed, ServerUnreachable, NotSetUp
 */
export async function startStack(options: StartOptions = {}): Promise<StartedStack> {
  const settings = resolveSettings(options);
  const { onProgress = silent, signal, worker } = options;
  return withLock(
    stackLock(),
    async () => {
      const record = readRecord();
      const started: ServerName[] = [];
      let written = Promise.resolve();
      const keep = (name: ServerName, address: string, uiUrl?: string) => async (running: RunningProcess) => {
        const { identity, logFile } = running;
        const since = new Date().toISOString();
        record[name] = { identity, address, logFile, since, ...(uiUrl === undefined ? {} : { uiUrl }) };
        started.push(name);
        // Recorded before it is ready, so that `nautil down` finds it if we are killed. The writes are chained: the newest
        // record must be written last.
        written = written.then(() => writeRecord(record));
        await written;
      };
      const failing = new AbortController();
      const context: Context = {
        settings,
        record,
        keep,
        onProgress,
        signal: signal ? AbortSignal.any([signal, failing.signal]) : failing.signal,
      };
      const abortBothOnFailure = (server: Promise<void>): Promise<void> =>
        server.catch((error: unknown) => failing.abort(error));
      try {
        // Both start in parallel. When one fails, we abort the other and wait for it, so that nothing starts after the clean-up.
        await Promise.all([abortBothOnFailure(ensureTemporal(context)), abortBothOnFailure(ensureMlflow(context))]);
        failing.signal.throwIfAborted();
        if (worker) await ensureWorker(context, worker);
      } catch (error) {
        for (const name of started.reverse()) {
          await endRecorded(record, name);
          Reflect.deleteProperty(record, name);
        }
        await writeRecord(record);
        throw error;
      }
      record.ports = portsOf(settings, record);
      await writeRecord(record);
      return { servers: await stackStatus(options), started };
    },
    { timeoutMs: 300_000, signal },
  );
}

/** The ports of the servers that are used now, which a server that was running already may have chosen. */
const portsOf = ({ temporalPort, temporalUiPort, mlflowPort }: ResolvedSettings, record: StackRecord): StackPorts => ({
  temporal: portOf(record.temporal?.address) ?? temporalPort,
  temporalUi: portOf(record.temporal?.uiUrl) ?? temporalUiPort,
  mlflow: portOf(record.mlflow?.address) ?? mlflowPort,
});

const silent = (): void => undefined;

interface Context {
  settings: ResolvedSettings;
  record: StackRecord;
  keep: (name: ServerName, address: string, uiUrl?: string) => (running: RunningProcess) => Promise<void>;
  onProgress: (line: string) => void;
  signal?: AbortSignal;
}

const logOf = (name: ServerName): string => join(nautilHome(), 'logs', `${name}.log`);

async function ensureTemporal({ settings, record, keep, onProgress, signal }: Context): Promise<void> {
  const before = settings.chosen.temporal ? undefined : record.temporal;
  const port = portOf(before?.address) ?? settings.temporalPort;
  const uiPort = portOf(settings.chosen.temporalUi ? undefined : before?.uiUrl) ?? settings.temporalUiPort;
  if (settings.temporal !== undefined) {
    const { address, namespace } = settings.temporal;
    const problem = await temporalProblem(settings.temporal, 10_000);
    if (problem !== undefined) {
      throw new ServerUnreachable(`no Temporal server responds at ${address}: ${problem}`, {
        hint: "the address comes from NAUTIL_TEMPORAL_ADDRESS, TEMPORAL_ADDRESS, Temporal's configuration file or an option: start that server, correct its TLS settings, or remove the address to start one here",
      });
    }
    onProgress(`Temporal: using the server at ${address}, namespace ${namespace}`);
    reportRegistered(await registerSearchAttributes(settings.temporal), onProgress);
    return;
  }
  const ours = liveProcess(record, 'temporal');
  if (ours && settings.chosen.temporal) requireSame('Temporal', ours.address, `127.0.0.1:${port}`);
  if (ours?.uiUrl !== undefined && settings.chosen.temporalUi)
    requireSame("Temporal's UI", ours.uiUrl, `http://127.0.0.1:${uiPort}`);
  if (ours && (await isTemporalServing(plainConnection(ours.address)))) {
    onProgress(`Temporal: already running at ${ours.address}`);
    return;
  }
  await endRecorded(record, 'temporal'); // it hangs, or some of its processes outlived their leader
  delete record.temporal;
  const address = `127.0.0.1:${port}`;
  if (await isTemporalServing(plainConnection(address))) {
    onProgress(`Temporal: using the server found at ${address}; Nautil did not start it and will not stop it`);
    reportRegistered(await registerSearchAttributes(plainConnection(address)), onProgress);
    return;
  }
  onProgress(`Temporal: starting at ${address}`);
  await startTemporalServer({
    folder: nautilHome(),
    port,
    uiPort,
    logFile: logOf('temporal'),
    outlivesParent: true,
    signal,
    onStarted: keep('temporal', address, `http://127.0.0.1:${uiPort}`),
  });
}

/** A server that has ended is restarted on its old port, where the worker and other clients look for it. */
const portOf = (address: string | undefined): number | undefined =>
  Number(/:(\d+)$/.exec(address ?? '')?.[1]) || undefined;

function reportRegistered(names: string[], onProgress: (line: string) => void): void {
  if (names.length > 0) onProgress(`Temporal: registered the search attributes ${names.join(', ')}`);
}

function requireSame(server: string, running: string, wanted: string): void {
  if (running === wanted) return;
  throw new StackSettingError(`${server} is already running at ${running}, not at ${wanted}`, {
    hint: 'stop it with `npx nautil down`, then start it at the other address',
  });
}

async function ensureMlflow({ settings, record, keep, onProgress, signal }: Context): Promise<void> {
  const port = portOf(settings.chosen.mlflow ? undefined : record.mlflow?.address) ?? settings.mlflowPort;
  if (settings.mlflowTrackingUri !== undefined) {
    const address = settings.mlflowTrackingUri;
    const problem = await mlflowProblem(address);
    if (problem !== undefined) {
      throw new ServerUnreachable(`no MLflow server responds at ${address}: ${problem}`, {
        hint: 'the address comes from MLFLOW_TRACKING_URI or an option: start that server, or remove the address to start one here',
      });
    }
    onProgress(`MLflow: using the server at ${address}`);
    return;
  }
  const ours = liveProcess(record, 'mlflow');
  if (ours && settings.chosen.mlflow) requireSame('MLflow', ours.address, `http://127.0.0.1:${port}`);
  if (ours && (await mlflowVersionAt(ours.address, 10_000)) !== undefined) {
    onProgress(`MLflow: already running at ${ours.address}`);
    return;
  }
  await endRecorded(record, 'mlflow');
  delete record.mlflow;
  const address = `http://127.0.0.1:${port}`;
  const version = await mlflowVersionAt(address);
  if (version !== undefined) {
    onProgress(
      `MLflow: using the server (${version}) found at ${address}; Nautil did not start it and will not stop it`,
    );
    return;
  }
  onProgress(`MLflow: starting at ${address} (10 to 20 s)`);
  await startMlflowServer({
    folder: join(nautilHome(), 'mlflow'),
    port,
    logFile: logOf('mlflow'),
    outlivesParent: true,
    signal,
    onStarted: keep('mlflow', address, address),
  });
}

async function ensureWorker(
  { settings, record, keep, onProgress, signal }: Context,
  worker: WorkerSpec,
): Promise<void> {
  const ours = liveProcess(record, 'worker');
  const temporal =
    settings.temporal ?? plainConnection(record.temporal?.address ?? `127.0.0.1:${settings.temporalPort}`);
  if (ours?.address === worker.taskQueue) {
    if (await isPolledByGroup(ours.identity, worker.taskQueue, temporal)) {
      onProgress(`worker: already running on task queue ${worker.taskQueue}`);
      return;
    }
    onProgress(`worker: process ${ours.pid} does not poll task queue ${worker.taskQueue}; it is replaced`);
  }
  await endRecorded(record, 'worker');
  delete record.worker;
  onProgress(`worker: starting on task queue ${worker.taskQueue}`);
  const mlflowTrackingUri =
    settings.mlflowTrackingUri ?? record.mlflow?.address ?? `http://127.0.0.1:${settings.mlflowPort}`;
  const started = await startProcess({
    name: 'worker',
    command: worker.command,
    args: worker.args,
    cwd: defaultFolder(),
    env: {
      ...worker.env,
      // A server that TEMPORAL_ADDRESS or the configuration file names is found there by the worker, with its keys.
      ...(isPlain(temporal) ? { NAUTIL_TEMPORAL_ADDRESS: temporal.address } : {}),
      // Descriptions in MLflow link to the page of the workflow.
      ...(settings.temporal === undefined && record.temporal?.uiUrl
        ? { NAUTIL_TEMPORAL_UI_URL: record.temporal.uiUrl }
        : {}),
      MLFLOW_TRACKING_URI: mlflowTrackingUri,
    },
    logFile: logOf('worker'),
    outlivesParent: true,
  });
  await keep('worker', worker.taskQueue)(started);
  await untilReady(started, {
    isReady: () => isPolledByGroup(started.identity, worker.taskQueue, temporal),
    timeoutMs: 120_000,
    signal,
  });
}

/** The names in messages. */
const titles: Record<ServerName, string> = { temporal: 'Temporal', mlflow: 'MLflow', worker: 'worker' };

/** `nautil worker` gives its stages two minutes to end. */
const workerGraceMs = 130_000;

/** Stops what startStack started, the worker first, and returns what was running. Other servers are left alone. */
export async function stopStack(options: { onProgress?: (line: string) => void } = {}): Promise<ServerName[]> {
  const { onProgress = silent } = options;
  return withLock(stackLock(), async () => {
    const record = readRecord();
    const stopped: ServerName[] = [];
    const stop = async (name: ServerName, graceMs?: number): Promise<void> => {
      if (await endRecorded(record, name, graceMs)) {
        stopped.push(name);
        onProgress(`${titles[name]}: stopped`);
      }
      Reflect.deleteProperty(record, name);
    };
    await stop('worker', workerGraceMs);
    await Promise.all([stop('temporal'), stop('mlflow')]);
    await writeRecord(record);
    return stopped;
  });
}

/** What is running now, according to the servers themselves. */
export async function stackStatus(options: StackSettings = {}): Promise<ServerStatus[]> {
  const record = readRecord();
  const resolved = resolveSettings(options);
  const addresses = stackAddresses(options);
  const problems = {
    temporal: temporalProblem(addresses.temporal),
    mlflow: mlflowProblem(addresses.mlflowTrackingUri),
  };
  const known: Record<'temporal' | 'mlflow', { address: string; uiUrl?: string | undefined }> = {
    temporal: { address: addresses.temporal.address, uiUrl: addresses.temporalUiUrl },
    mlflow: { address: addresses.mlflowTrackingUri, uiUrl: addresses.mlflowTrackingUri },
  };
  const isElsewhere = {
    temporal: resolved.temporal !== undefined,
    mlflow: resolved.mlflowTrackingUri !== undefined,
  };
  const servers = await Promise.all(
    (['temporal', 'mlflow'] as const).map(async (name): Promise<ServerStatus> => {
      const live = liveProcess(record, name);
      const ours = live?.address === known[name].address ? live : undefined;
      return {
        name,
        ...serverState(await problems[name], ours !== undefined, isElsewhere[name]),
        ours: ours !== undefined,
        ...known[name],
        ...(ours ? { pid: ours.pid, logFile: ours.logFile, since: ours.since } : {}),
      };
    }),
  );
  return [...servers, await workerStatus(record, addresses.temporal, (await problems.temporal) === undefined)];
}

function serverState(
  problem: string | undefined,
  isOurs: boolean,
  isElsewhere: boolean,
): Pick<ServerStatus, 'state' | 'problem'> {
  if (problem === undefined) return { state: 'running' };
  if (isOurs) return { state: 'starting' };
  return isElsewhere ? { state: 'unreachable', problem } : { state: 'stopped' };
}
