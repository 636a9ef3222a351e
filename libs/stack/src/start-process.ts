import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFolderSync, fileMode } from '@nautil/store/folders';
import { identityOf, type ProcessIdentity } from '@nautil/store/process';
import { NotSetUp, ServerFailed } from './errors.js';
import { endGroup, groupMembers, signalGroup } from './process-group.js';

export interface ProcessSpec {
  /** For messages: `MLflow`. */
  name: string;

  command: string;
  args: string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;

  /** Receives stdout and stderr; the log of the previous start is renamed to `<file>.1`. */
  logFile: string;

  /** True: the process outlives this one. False: it ends with this one, even if this one is killed. */
  outlivesParent: boolean;
}

export interface RunningProcess {
  name: string;

  /** Leader of its own process group. */
  pid: number;

  identity: ProcessIdentity;
  logFile: string;
  stop(): Promise<void>;

  /** Sends SIGKILL to the whole group. */
  kill(): void;
}

// Runs "$@", and kills the whole group when it ends or when the pipe on stdin closes, which happens when the parent is gone,
// even by kill -9. NOTE: a shell gives background jobs /dev/null as stdin, so the pipe is passed as file descriptor 3.
const endWithParent =
  'exec 3<&0; { cat >/dev/null; kill -KILL 0; } <&3 & exec 3<&-; "$@" </dev/null & wait $!; kill -KILL 0';

/** Starts a program as the leader of its own process group and session, so that Ctrl-C in a terminal does not reach it. */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  const { name, command, args, cwd, env, logFile, outlivesParent } = spec;
  createFolderSync(dirname(logFile));
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  const log = openSync(logFile, 'a', fileMode(logFile));
  try {
    const [program, programArgs] = outlivesParent
      ? [command, args]
      : ['/bin/sh', ['-c', endWithParent, 'sh', command, ...args]];
    const child = spawn(program, programArgs, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: [outlivesParent ? 'ignore' : 'pipe', log, log],
    });
    await new Promise((resolve, reject) => child.once('spawn', resolve).on('error', reject));
    child.unref();
    child.stdin?.on('error', () => undefined); // nothing is written to it
    (child.stdin as unknown as { unref(): void } | null)?.unref();

    const pid = child.pid ?? 0;
    const identity = identityOf(pid);
    if (identity === undefined) {
      throw new ServerFailed(`${name} ended immediately${lastLines(logFile)}`, {
        hint: `its log is ${logFile}`,
      });
    }
    return {
      name,
      pid,
      identity,
      logFile,
      stop: () => endGroup(identity),
      kill: () => signalGroup(identity, 'SIGKILL'),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new NotSetUp(`${command} is missing`, { hint: 'run `npx nautil setup`', cause: error });
  } finally {
    closeSync(log);
  }
}

export interface Wait {
  isReady: () => Promise<boolean>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** Waits until a started process is ready, and stops it when it is not ready in time. */
export async function untilReady(started: RunningProcess, { isReady, timeoutMs, signal }: Wait): Promise<void> {
  const begin = performance.now();
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (await isReady()) return;
      const ended = groupMembers(started.identity).length === 0;
      if (ended || performance.now() - begin > timeoutMs) {
        const what = ended ? 'ended before it was ready' : `was not ready after ${timeoutMs / 1000} s`;
        throw new ServerFailed(`${started.name} ${what}${lastLines(started.logFile)}`, {
          hint: `its log is ${started.logFile}`,
        });
      }
      await sleep(100, undefined, { signal });
    }
  } catch (error) {
    await endGroup(started.identity);
    throw error;
  }
}

/** The end of a log, to append to an error message. */
function lastLines(logFile: string, count = 8): string {
  let lines: string[] = [];
  try {
    lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-count);
  } catch {
    // there is no log
  }
  return lines.join('') === ''
    ? ''
    : `; its last lines:\n${lines.map((line) => `  | ${line.slice(0, 300)}`).join('\n')}`;
}
