import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Type } from '@sinclair/typebox';
import { searchAttributes } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { freePort } from '@nautil/store/process';
import { ServerFailed } from './errors.js';
import { installedProgram } from './installed-program.js';
import { requirePort } from './ports.js';
import type { ServerHandle, ServerOptions } from './server-handle.js';
import { startProcess, untilReady } from './start-process.js';
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

/**
 * Starts Temporal's development server on 127.0.0.1 with Nautil's search attributes, and resolves when it serves.
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
  mkdirSync(dirname(dbFile), { recursive: true });
  const attributes = Object.entries(searchAttributes).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
  const address = `127.0.0.1:${port}`;
  const server = await startProcess({
    name: 'Temporal',
    command: installedProgram('temporal'),
    args: ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)]
      .concat('--db-filename', dbFile, '--log-level', 'warn', '--ui-disable-news-fetch', ...attributes)
      .concat(namespace && namespace !== 'default' ? ['--namespace', namespace] : []),
    logFile: options.logFile ?? join(folder, 'temporal.log'),
    outlivesParent,
  });
  await options.onStarted?.(server);
  await untilReady(server, { isReady: () => isTemporalServing(address), timeoutMs, signal });
  return { ...server, address, uiUrl: `http://127.0.0.1:${uiPort}`, ready: true };
}

/**
 * Registers those of Nautil's search attributes that a server lacks: a workflow that sets an unknown one is retried forever.
 *
 * @returns the names that were missing
 */
export async function registerSearchAttributes(address: string, namespace = 'default'): Promise<string[]> {
  const temporal = installedProgram('temporal');
  const server = ['--address', address, '--namespace', namespace];
  try {
    const { stdout } = await run(temporal, ['operator', 'search-attribute', 'list', ...server, '-o', 'json'], {
      timeout: 20_000,
    });
    const missing = Object.entries(searchAttributes).filter(([name]) => !stdout.includes(`"${name}"`));
    if (missing.length > 0) {
      const named = missing.flatMap(([name, type]) => ['--name', name, '--type', type]);
      await run(temporal, ['operator', 'search-attribute', 'create', ...server, ...named], { timeout: 20_000 });
    }
    return missing.map(([name]) => name);
  } catch (error) {
    const message = String((error as { stderr?: string }).stderr ?? error).trim();
    throw new ServerFailed(`Nautil's search attributes cannot be registered with Temporal at ${address}: ${message}`, {
      hint: `register them by hand: ${Object.entries(searchAttributes)
        .map(
          ([name, type]) =>
            `temporal operator search-attribute create --address ${address} --name ${name} --type ${type}`,
        )
        .join('\n')}`,
      cause: error,
    });
  }
}

const parseTaskQueue = jsonParser(
  Type.Object({
    pollers: Type.Union([Type.Null(), Type.Array(Type.Object({ identity: Type.Optional(Type.String()) }))]),
  }),
);

/** Whether a worker whose identity starts with the process id polls the task queue. */
export async function isPolledBy(pid: number, taskQueue: string, address: string): Promise<boolean> {
  try {
    const args = ['task-queue', 'describe', '--task-queue', taskQueue, '--address', address, '-o', 'json'];
    const { stdout } = await run(installedProgram('temporal'), args, { timeout: 20_000 });
    const { pollers } = parseTaskQueue(stdout, 'temporal task-queue describe');
    return (pollers ?? []).some(({ identity }) => identity?.startsWith(`${pid}@`));
  } catch {
    return false;
  }
}
