import { defaultFolder, nautilHome, withLock } from '@nautil/store';
import { join } from 'node:path';
import { ServerUnreachable } from './errors.js';
import { mlflowAnswers, mlflowVersionAt, startMlflowServer } from './mlflow-server.js';
import { endRecorded, liveProcess, readRecord, serverNames, stackLock, writeRecord } from './stack-record.js';
import type { ServerName, StackRecord } from './stack-record.js';
import {
  resolveSettings,
  stackAddresses,
  StackSettingError,
  type ResolvedSettings,
  type StackSettings,
} from './stack-settings.js';
import { startProcess, untilReady, type RunningProcess } from './start-process.js';
import { isTemporalServing } from './temporal-health.js';
import { isPolledBy, registerSearchAttributes, startTemporalServer } from './temporal-server.js';

/** A worker to run beside the servers, from the workspace root. */
export interface WorkerSpec {
  command: string;
  args: string[];
  taskQueue: string;
  env?: NodeJS.ProcessEnv;
}

export interface StartOptions extends StackSettings {
  worker?: WorkerSpec | undefined;

  /** Called with one line at a time for people. */
  onProgress?: (line: string) => void;

  /** Ends the start; what was started by this call is ended again. */
  signal?: AbortSignal;
}

/** One part of the stack, as `nautil status` shows it. */
export interface ServerStatus {
  name: ServerName;
  state: 'running' | 'starting' | 'stopped';

  /** True when we started it, and so `nautil down` ends it. */
  ours: boolean;

  /** `host:port` of Temporal, tracking URI of MLflow, task queue of the worker. */
  address: string;

  uiUrl?: string | undefined;
  pid?: number;
  logFile?: string;
  since?: string;
}

export interface StartedStack {
  servers: ServerStatus[];

  /** The names of what this call started. */
  started: ServerName[];
}

/**
 * Starts what does not run yet of Temporal, MLflow and the worker, and waits until all of it answers. A server found on
 * its port, or named by address, is used as it is and never stopped. When one part fails, what this call started is ended.
 *
 * @throws PortInUse, ServerFailed, ServerUnreachable, NotSetUp
 */
export async function startStack(options: StartOptions = {}): Promise<StartedStack> {
  const settings = resolveSettings(options);
  const { onProgress = () => {}, signal, worker } = options;
  return withLock(
    stackLock(),
    async () => {
      const record = readRecord();
      const started: ServerName[] = [];
      let written = Promise.resolve();
      const keep = (name: ServerName, address: string, uiUrl?: string) => async (running: RunningProcess) => {
        const { identity, logFile } = running;
        record[name] = { identity, address, uiUrl, logFile, since: new Date().toISOString() };
        started.push(name);
        // Before it is ready, so that `down` finds it if we are killed; one after the other, or the older could come last.
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
      const orEndBoth = (server: Promise<void>): Promise<void> =>
        server.catch((error: unknown) => failing.abort(error));
      try {
        // Both at once. When one fails the other's start is ended and waited for, so that nothing starts after we have cleaned up.
        await Promise.all([orEndBoth(temporalRuns(context)), orEndBoth(mlflowRuns(context))]);
        failing.signal.throwIfAborted();
        if (worker) await workerRuns(context, worker);
      } catch (error) {
        for (const name of started.reverse()) {
          await endRecorded(record, name);
          delete record[name];
        }
        await writeRecord(record);
        throw error;
      }
      return { servers: await stackStatus(options), started };
    },
    { timeoutMs: 300_000, signal },
  );
}

interface Context {
  settings: ResolvedSettings;
  record: StackRecord;
  keep: (name: ServerName, address: string, uiUrl?: string) => (running: RunningProcess) => Promise<void>;
  onProgress: (line: string) => void;
  signal?: AbortSignal;
}

const logOf = (name: ServerName): string => join(nautilHome(), 'logs', `${name}.log`);

async function temporalRuns({ settings, record, keep, onProgress, signal }: Context): Promise<void> {
  const before = settings.chosen.temporal ? undefined : record.temporal;
  const port = portOf(before?.address) ?? settings.temporalPort;
  const uiPort = portOf(before?.uiUrl) ?? settings.temporalUiPort;
  if (settings.temporalAddress !== undefined) {
    const address = settings.temporalAddress;
    if (!(await isTemporalServing(address, 10_000))) {
      throw new ServerUnreachable(`no Temporal server answers at ${address}`, {
        hint: 'it was named by NAUTIL_TEMPORAL_ADDRESS or an option: start it, or leave the address out to have one started here',
      });
    }
    onProgress(`Temporal: using the server at ${address}`);
    sayRegistered(await registerSearchAttributes(address), onProgress);
    return;
  }
  const ours = liveProcess(record, 'temporal');
  if (ours && settings.chosen.temporal) requireSame('Temporal', ours.address, `127.0.0.1:${port}`);
  if (ours && (await isTemporalServing(ours.address))) {
    onProgress(`Temporal: already running at ${ours.address}`);
    return;
  }
  await endRecorded(record, 'temporal'); // it hangs, or a part of it outlived its leader
  delete record.temporal;
  const address = `127.0.0.1:${port}`;
  if (await isTemporalServing(address)) {
    onProgress(`Temporal: using the server found at ${address}; it is not ours, and will not be stopped`);
    sayRegistered(await registerSearchAttributes(address), onProgress);
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

/** A server that ended is started where it was: the worker, and whoever has its address, look for it there. */
const portOf = (address: string | undefined): number | undefined =>
  Number(/:(\d+)$/.exec(address ?? '')?.[1]) || undefined;

function sayRegistered(names: string[], onProgress: (line: string) => void): void {
  if (names.length > 0) onProgress(`Temporal: registered the search attributes ${names.join(', ')}`);
}

function requireSame(server: string, running: string, wanted: string): void {
  if (running === wanted) return;
  throw new StackSettingError(`${server} already runs at ${running}, and ${wanted} was asked for`, {
    hint: '`npx nautil down` stops it; then start it where you want it',
  });
}

async function mlflowRuns({ settings, record, keep, onProgress, signal }: Context): Promise<void> {
  const port = portOf(settings.chosen.mlflow ? undefined : record.mlflow?.address) ?? settings.mlflowPort;
  if (settings.mlflowTrackingUri !== undefined) {
    const address = settings.mlflowTrackingUri;
    if (!(await mlflowAnswers(address))) {
      throw new ServerUnreachable(`no MLflow server answers at ${address}`, {
        hint: 'it was named by MLFLOW_TRACKING_URI or an option: start it, or leave the address out to have one started here',
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
    onProgress(`MLflow: using the server (${version}) found at ${address}; it is not ours, and will not be stopped`);
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

async function workerRuns({ settings, record, keep, onProgress, signal }: Context, worker: WorkerSpec): Promise<void> {
  const ours = liveProcess(record, 'worker');
  if (ours && ours.address === worker.taskQueue) {
    onProgress(`worker: already running on task queue ${worker.taskQueue}`);
    return;
  }
  await endRecorded(record, 'worker');
  delete record.worker;
  onProgress(`worker: starting on task queue ${worker.taskQueue}`);
  const temporalAddress = settings.temporalAddress ?? record.temporal?.address ?? `127.0.0.1:${settings.temporalPort}`;
  const mlflowTrackingUri =
    settings.mlflowTrackingUri ?? record.mlflow?.address ?? `http://127.0.0.1:${settings.mlflowPort}`;
  const started = await startProcess({
    name: 'worker',
    command: worker.command,
    args: worker.args,
    cwd: defaultFolder(),
    env: { ...worker.env, NAUTIL_TEMPORAL_ADDRESS: temporalAddress, MLFLOW_TRACKING_URI: mlflowTrackingUri },
    logFile: logOf('worker'),
    outlivesParent: true,
  });
  await keep('worker', worker.taskQueue)(started);
  await untilReady(started, {
    isReady: () => isPolledBy(started.pid, worker.taskQueue, temporalAddress),
    timeoutMs: 120_000,
    signal,
  });
}

/** Ends what startStack started, the worker first. Servers that somebody else runs are left alone. Returns what was running. */
export async function stopStack(options: { onProgress?: (line: string) => void } = {}): Promise<ServerName[]> {
  const { onProgress = () => {} } = options;
  return withLock(stackLock(), async () => {
    const record = readRecord();
    const stopped: ServerName[] = [];
    const stop = async (name: ServerName): Promise<void> => {
      if (await endRecorded(record, name)) {
        stopped.push(name);
        onProgress(`${name}: stopped`);
      }
      delete record[name];
    };
    await stop('worker');
    await Promise.all([stop('temporal'), stop('mlflow')]);
    await writeRecord(record);
    return stopped;
  });
}

/** What runs now, asked of the servers themselves. */
export async function stackStatus(options: StackSettings = {}): Promise<ServerStatus[]> {
  const record = readRecord();
  const addresses = stackAddresses(options);
  const answering = {
    temporal: isTemporalServing(addresses.temporalAddress),
    mlflow: mlflowAnswers(addresses.mlflowTrackingUri),
    worker: Promise.resolve(liveProcess(record, 'worker') !== undefined),
  };
  const known: Record<ServerName, { address: string; uiUrl?: string | undefined }> = {
    temporal: { address: addresses.temporalAddress, uiUrl: addresses.temporalUiUrl },
    mlflow: { address: addresses.mlflowTrackingUri, uiUrl: addresses.mlflowTrackingUri },
    worker: { address: record.worker?.address ?? '' },
  };
  return Promise.all(
    serverNames.map(async (name): Promise<ServerStatus> => {
      const live = liveProcess(record, name);
      const ours = live !== undefined && live.address === known[name].address;
      const answers = await answering[name];
      return {
        name,
        state: answers ? 'running' : ours ? 'starting' : 'stopped',
        ours,
        ...known[name],
        ...(ours ? { pid: live.pid, logFile: live.logFile, since: live.since } : {}),
      };
    }),
  );
}
