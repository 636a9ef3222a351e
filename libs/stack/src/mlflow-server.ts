import { dirname, join, resolve } from 'node:path';
import { createFolderSync } from '@nautil/store/folders';
import { fetchWithTls, mlflowTls, readBody } from '@nautil/store/http';
import { freePort } from '@nautil/store/process';
import { installedProgram } from './installed-program.js';
import { requirePort } from './ports.js';
import type { ServerHandle, ServerOptions } from './server-handle.js';
import { startProcess, untilReady } from './start-process.js';

/** MLflow's default has `10.*` for private networks, which a web page can pass with a name such as `10.example.org`. */
const allowedHosts = ['localhost', 'localhost:*', '127.0.0.1', '127.0.0.1:*', '[::1]', '[[]::1]:*'].join(',');

/**
 * Starts MLflow's server on 127.0.0.1 with its SQLite database and its artifacts inside `folder`, and resolves when it
 * responds (after 10 to 17 s on two idle cores).
 *
 * @throws PortInUse, NotSetUp, ServerFailed with its last log lines.
 */
export async function startMlflowServer(options: ServerOptions): Promise<ServerHandle> {
  const { timeoutMs = 180_000, signal, outlivesParent = false } = options;
  const folder = resolve(options.folder);
  const port = options.port ?? (await freePort());
  await requirePort(port, "MLflow's server", '--mlflow-port or NAUTIL_MLFLOW_PORT');
  createFolderSync(folder);
  const address = `http://127.0.0.1:${port}`;
  // The first line of the program `mlflow` is the interpreter's path at the time of the set-up: wrong once the checkout has moved.
  const server = await startProcess({
    name: 'MLflow',
    command: '/bin/sh',
    args: ['-c', 'umask 077; exec "$@"', 'sh', join(dirname(installedProgram('mlflow')), 'python')]
      .concat('-m', 'mlflow', 'server')
      .concat('--host', '127.0.0.1', '--port', String(port), '--workers', '1', '--allowed-hosts', allowedHosts)
      .concat('--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`)
      .concat('--artifacts-destination', join(folder, 'artifacts')),
    cwd: folder,
    env: {
      ...withoutMlflowSettings(),
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false', // uses 0.49 GB of memory instead of 1.45
      MLFLOW_DISABLE_TELEMETRY: 'true',
    },
    logFile: options.logFile ?? join(folder, 'mlflow.log'),
    outlivesParent,
  });
  await options.onStarted?.(server);
  await untilReady(server, { isReady: () => isMlflowResponding(address), timeoutMs, signal });
  return { ...server, address, uiUrl: address, ready: true };
}

/** Removes the settings for clients, such as MLFLOW_TRACKING_URI, which mean something else to a server. */
function withoutMlflowSettings(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) => name.startsWith('MLFLOW_'));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** The version of the MLflow server at an address; undefined when none responds there, or when it requires a login. */
export async function mlflowVersionAt(trackingUri: string, timeoutMs = 5000): Promise<string | undefined> {
  const { status, text } = await requestVersion(trackingUri, timeoutMs);
  return isVersion(status, text) ? text : undefined;
}

const isVersion = (status: number, text: string): boolean => status === 200 && /^\d+\.\d+[\w.]*$/.test(text);

/** Whether an MLflow server responds at an address, be it with a refusal (401, 403). */
export const isMlflowResponding = async (trackingUri: string, timeoutMs?: number): Promise<boolean> =>
  (await mlflowProblem(trackingUri, timeoutMs)) === undefined;

/** Why no MLflow server responds at an address; undefined if one does. */
export async function mlflowProblem(trackingUri: string, timeoutMs = 5000): Promise<string | undefined> {
  const { status, text, problem } = await requestVersion(trackingUri, timeoutMs);
  if (problem !== undefined) return problem;
  if (status === 401 || status === 403 || isVersion(status, text)) return undefined;
  return `it is not MLflow's server: GET /version has status ${status} and no version`;
}

interface VersionResponse {
  status: number;
  text: string;

  /** Why there is no response; the status is 0 then. */
  problem?: string;
}

async function requestVersion(trackingUri: string, timeoutMs: number): Promise<VersionResponse> {
  // NOTE: not AbortSignal.timeout, whose timer does not keep the process alive: fetch never settles when a server closes each
  // connection at once, and a program with nothing else to do would end here with exit code 13.
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const url = new URL(`${trackingUri.replace(/\/$/, '')}/version`);
  url.username = url.password = ''; // fetch refuses an address with a password
  const tls = url.protocol === 'https:' ? mlflowTls() : undefined;
  try {
    const send = tls ? await fetchWithTls(tls, url.origin) : fetch;
    const response = await send(url, { signal: timeout.signal });
    const body = await readBody(response.body, `GET ${url.href}`, 4096);
    return { status: response.status, text: body.toString('utf8').trim() };
  } catch (error) {
    const problem = timeout.signal.aborted ? `it does not answer within ${timeoutMs / 1000} s` : causeOf(error);
    return { status: 0, text: '', problem };
  } finally {
    clearTimeout(timer);
  }
}

/** The network's error, which fetch has as the cause of its own. */
function causeOf(error: unknown): string {
  const { cause = error } = error as { cause?: unknown };
  const { message, code } = cause as NodeJS.ErrnoException;
  return message || (code ?? 'no response');
}
