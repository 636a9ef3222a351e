import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import { counted, exitCodes } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { writeFileAtomic } from '@nautil/store';
import { nautilHome } from '@nautil/store/folders';

/** What a supervisor has recorded about its program. */
export interface Supervision {
  /** waiting: between two starts. gave-up: it failed more often than allowed, and is not started again. */
  state: 'running' | 'waiting' | 'gave-up';

  /** Process id of the supervisor. */
  supervisor: number;

  /** Restarts since the program last ran for long. */
  restarts: number;

  /** Restarts that are allowed. */
  limit: number;

  /** How the program ended last time, with its last words. */
  cause?: string;
}

export interface SupervisedProgram {
  command: string;
  args: string[];

  /** Restarts in a row that are allowed. */
  limit: number;

  /** The program is ready once it has written a line that begins with this. One that ends before is not restarted. */
  readyLine: string;

  /** Called with a line for the log. */
  onEvent: (line: string) => void;

  /** Time before the first restart, which doubles with each further one; default 1 s. */
  firstWaitMs?: number;
}

const longestWaitMs = 60_000;

/** A program that has run for this long is healthy: its failures are counted from zero. */
const healthyMs = 10 * 60_000;

/** Lines before its end that may explain a failure. */
const keptLines = 3;

const recordFile = (): string => join(nautilHome(), 'worker.json');

const parseSupervision = jsonParser(
  Type.Object({
    state: Type.Union([Type.Literal('running'), Type.Literal('waiting'), Type.Literal('gave-up')]),
    supervisor: Type.Integer(),
    restarts: Type.Integer(),
    limit: Type.Integer(),
    cause: Type.Optional(Type.String()),
  }),
);

/** The record of the last supervisor, which may have ended; undefined if there is none, or if it is damaged. */
export function readSupervision(): Supervision | undefined {
  try {
    return existsSync(recordFile()) ? parseSupervision(readFileSync(recordFile(), 'utf8'), recordFile()) : undefined;
  } catch {
    return undefined; // it only explains a state that `status` finds by itself
  }
}

/**
 * Runs a program and starts it again when it fails: after a second, and then after twice as long each time. SIGINT and SIGTERM are
 * passed on and end the supervision. It records its state for `nautil status`.
 *
 * @returns the exit code of the program
 */
export async function supervise(o: SupervisedProgram): Promise<number> {
  const stop = new AbortController();
  const isStopped = (): boolean => stop.signal.aborted;
  let signalChild: (signal: NodeJS.Signals) => void = () => undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    stop.abort();
    signalChild(signal);
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.on(name, onSignal);
  let restarts = 0;
  let cause: string | undefined;
  let code = 0;
  const record = async (state: Supervision['state']): Promise<void> => {
    const supervision = { state, supervisor: process.pid, restarts, limit: o.limit, ...(cause && { cause }) };
    await writeFileAtomic(recordFile(), JSON.stringify(supervision)).catch((error: unknown) => {
      o.onEvent(`${recordFile()} cannot be written: ${String(error)}`); // a full disk must not end the supervision
    });
  };
  try {
    for (;;) {
      await record('running');
      if (isStopped()) return code; // a program that starts now would not get the signal
      const begun = performance.now();
      const end = await runOnce(o, (kill) => (signalChild = kill));
      if (isStopped() || end.code === 0) return end.code ?? 0;
      code = end.code ?? 1;
      cause = describeEnd(end);
      if (performance.now() - begun > healthyMs) restarts = 0;
      if (!end.wasReady && restarts === 0) return code; // whoever started it sees why
      if (restarts >= o.limit || code === exitCodes.usage) {
        o.onEvent(`it failed after ${counted(restarts, 'restart')} and is not started again: ${cause}`);
        await record('gave-up');
        return code;
      }
      const waitMs = Math.min((o.firstWaitMs ?? 1000) * 2 ** restarts, longestWaitMs);
      restarts += 1;
      o.onEvent(`${cause}; restart ${restarts} of ${o.limit} in ${waitMs / 1000} s`);
      await record('waiting');
      await sleep(waitMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    for (const name of signals) process.off(name, onSignal);
  }
}

interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
  lastLines: string[];
  wasReady: boolean;
}

async function runOnce(
  { command, args, readyLine }: SupervisedProgram,
  onStarted: (kill: (signal: NodeJS.Signals) => void) => void,
): Promise<End> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
  onStarted((signal) => child.kill(signal));
  let lastLines: string[] = [];
  let wasReady = false;
  let rest = '';
  child.stderr.on('error', () => undefined); // only the explanation of a failure gets shorter
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text);
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-10_000);
    wasReady ||= lines.some((line) => line.startsWith(readyLine));
    lastLines = [...lastLines, ...lines.filter((line) => line.trim() !== '')].slice(-keptLines);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, lastLines, wasReady }));
  });
}

/** A program that a signal ended had no last words; of others, an error is the cause, or else their last lines. */
function describeEnd({ code, signal, lastLines }: End): string {
  if (signal !== null) return `ended with ${signal}`;
  const errors = lastLines.filter((line) => line.startsWith('error: ')).slice(-1);
  const words = (errors.length > 0 ? errors : lastLines).map((line) => line.trim().slice(0, 300)).join(' | ');
  return words === '' ? `ended with exit code ${code}` : `ended with exit code ${code}: ${words}`;
}
