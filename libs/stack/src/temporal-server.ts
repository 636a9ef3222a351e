import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Type } from '@sinclair/typebox';
import { searchAttributes } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { createFolderSync } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';
import { browserBlockedAddress } from './browser-blocked-address.js';
import { ServerFailed } from './errors.js';
import { installedProgram } from './installed-program.js';
import { requirePort } from './ports.js';
import type { ServerHandle, ServerOptions } from './server-handle.js';
import { startProcess, untilReady } from './start-process.js';
import { temporalCommand } from './temporal-command.js';
import { isPlain, plainConnection, type TemporalConnection } from './temporal-connection.js';
import { isTemporalServing } from './temporal-health.js';

const run = promisify(execFile);

export interface TemporalOptions extends ServerOptions {
  /** Default: any free port. */
  uiPort?: number;

  /** The SQLite file; survives kill -9. Default `temporal.db` in the folder. */
  dbFile?: string;

  /** Created in addition to `default`. */
  namespace?: string;
}

/** No request can have this Host: names in `.invalid` have no address. */
const noHost = 'none.invalid';

// Starts the UI's gate as a child, then becomes the server, so that the process that was started is the server.
const withUiGate = 'umask 077; "$1" "$2" "$3" "$4" "$5" $$ & shift 5; exec "$@"';

/**
 * Starts Temporal's development server on 127.0.0.1 with Nautil's search attributes, and resolves when it serves.
 *
 * The server checks neither the Host nor the Origin of a request, so any web page could use it. Therefore its HTTP API, which
 * cannot be switched off, refuses every request, and its UI listens where browsers cannot send anything; `uiPort` is the port
 * of a process beside it that checks requests (see createUiGate).
 *
 * @throws PortInUse, NotSetUp, ServerFailed with its last log lines.
 */
export async function startTemporalServer(options: TemporalOptions): Promise<ServerHandle> {
  const { folder, namespace, timeoutMs = 60_000, signal, outlivesParent = false } = options;
  const port = options.port ?? (await freePort());
  const uiPort = options.uiPort ?? (await freePort());
  await requirePort(port, "Temporal's server", '--temporal-port or NAUTIL_TEMPORAL_PORT');
  await requirePort(uiPort, "Temporal's UI", '--temporal-ui-port or NAUTIL_TEMPORAL_UI_PORT');
  const dbFile = options.dbFile ?? join(folder, 'temporal.db');
  createFolderSync(dirname(dbFile));
  const attributes = Object.entries(searchAttributes).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
  const address = `127.0.0.1:${port}`;
  const uiUrl = `http://127.0.0.1:${uiPort}`;
  const ui = await browserBlockedAddress();
  const gate = fileURLToPath(new URL('./ui-gate-process.mjs', import.meta.url));
  const server = await startProcess({
    name: 'Temporal',
    command: '/bin/sh',
    args: ['-c', withUiGate, 'sh', process.execPath, gate, String(uiPort), ui.host, String(ui.port)]
      .concat(installedProgram('temporal'), 'server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port))
      .concat('--ui-ip', ui.host, '--ui-port', String(ui.port))
      .concat('--dynamic-config-value', `frontend.httpAllowedHosts=["${noHost}"]`)
      .concat('--db-filename', dbFile, '--log-level', 'warn', '--ui-disable-news-fetch', ...attributes)
      .concat(namespace && namespace !== 'default' ? ['--namespace', namespace] : []),
    logFile: options.logFile ?? join(folder, 'temporal.log'),
    outlivesParent,
  });
  await options.onStarted?.(server);
  const isReady = async (): Promise<boolean> =>
    (await isTemporalServing(plainConnection(address))) && (await isUiResponding(uiUrl));
  await untilReady(server, { isReady, timeoutMs, signal });
  return { ...server, address, uiUrl, ready: true };
}

/** False while the gate or the UI behind it has not started. */
function isUiResponding(uiUrl: string): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = request(uiUrl, { method: 'HEAD', agent: false, timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode !== 502);
    });
    attempt.on('timeout', () => attempt.destroy());
    attempt.on('error', () => resolve(false));
    attempt.end();
  });
}

/**
 * Registers those of Nautil's search attributes that a server lacks: a workflow that sets an unknown one is retried forever.
 *
 * @returns the names that were missing
 */
export async function registerSearchAttributes(connection: TemporalConnection): Promise<string[]> {
  try {
    const stdout = await temporal(['operator', 'search-attribute', 'list', '-o', 'json'], connection);
    const missing = Object.entries(searchAttributes).filter(([name]) => !stdout.includes(`"${name}"`));
    if (missing.length > 0) {
      const named = missing.flatMap(([name, type]) => ['--name', name, '--type', type]);
      await temporal(['operator', 'search-attribute', 'create', ...named], connection);
    }
    return missing.map(([name]) => name);
  } catch (error) {
    const message = String((error as { stderr?: string }).stderr ?? error).trim();
    throw new ServerFailed(
      `Nautil's search attributes cannot be registered with Temporal at ${connection.address}: ${message}`,
      {
        hint: `register them by hand: ${Object.entries(searchAttributes)
          .map(([name, type]) =>
            temporalCommand(['operator', 'search-attribute', 'create', '--name', name, '--type', type], connection),
          )
          .join('\n')}`,
        cause: error,
      },
    );
  }
}

/** Runs the Temporal CLI against a server, and returns what it prints. Certificates and keys come from where we read them, too. */
async function temporal(words: readonly string[], connection: TemporalConnection): Promise<string> {
  const { address, namespace } = connection;
  const { stdout } = await run(
    installedProgram('temporal'),
    [
      ...words,
      '--address',
      address,
      '--namespace',
      namespace,
      ...(isPlain(connection) ? ['--disable-config-file', '--disable-config-env'] : []),
    ],
    { timeout: 20_000 },
  );
  return stdout;
}

const parseTaskQueue = jsonParser(
  Type.Object({
    pollers: Type.Union([
      Type.Null(),
      Type.Array(Type.Object({ identity: Type.Optional(Type.String()), lastAccessTime: Type.Optional(Type.String()) })),
    ]),
  }),
);

/** A worker polls at least once a minute. The server lists one that was killed for another five minutes. */
const pollIntervalMs = 70_000;

/**
 * The workers that have polled a task queue within the last minute, by the SDK's identity: `PID@HOST`; none when the server does not
 * answer.
 */
export async function pollersOf(taskQueue: string, connection: TemporalConnection): Promise<string[]> {
  try {
    const stdout = await temporal(['task-queue', 'describe', '--task-queue', taskQueue, '-o', 'json'], connection);
    const { pollers } = parseTaskQueue(stdout, 'temporal task-queue describe');
    // A time in the future is from before the clock was set back.
    const isRecent = (time: string): boolean => Math.abs(Date.now() - Date.parse(time)) <= pollIntervalMs;
    const recent = (pollers ?? []).filter(({ lastAccessTime: time }) => time === undefined || isRecent(time));
    return recent.map(({ identity }) => identity ?? '');
  } catch {
    return [];
  }
}
