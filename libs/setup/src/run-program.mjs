import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { explainFailure, Interrupted, SetupError } from './setup-error.mjs';

const heartbeatMs = 10_000;

/**
 * Runs a program to its end and returns its output. It gets a process group of its own, so that an interrupt also ends its
 * children. Every ten seconds a line shows that it is still running.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ signal: AbortSignal, log: (line: string) => void, progress?: () => Promise<string>, cwd?: string, env?: NodeJS.ProcessEnv }} o
 */
export async function runProgram(command, args, { signal, log, progress, cwd, env }) {
  if (signal.aborted) throw new Interrupted();
  const name = [command.split('/').at(-1), ...args].slice(0, 4).join(' ');
  const started = performance.now();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });

  let output = '';
  const keep = (chunk) => (output = (output + chunk).slice(-200_000));
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('error', () => {}); // its exit code is reported nevertheless
    stream.setEncoding('utf8').on('data', keep);
  }

  const logProgress = async () => {
    const seconds = Math.round((performance.now() - started) / 1000);
    const detail = await progress?.().catch(() => undefined);
    log(`  … ${seconds} s${detail ? `, ${detail}` : ''}`);
  };
  const heartbeat = setInterval(logProgress, heartbeatMs);

  const endGroup = (signalName) => {
    try {
      process.kill(-child.pid, signalName);
    } catch {
      // it has already ended
    }
  };
  let killTimer;
  const interrupt = () => {
    endGroup('SIGTERM');
    killTimer = setTimeout(endGroup, 3000, 'SIGKILL');
  };
  signal.addEventListener('abort', interrupt);

  try {
    const exitCode = await new Promise((resolve, reject) => {
      child.on('error', (error) =>
        reject(
          new SetupError(`${command} cannot be run: ${error.message}`, {
            hint: `is ${command} installed and on the PATH?`,
          }),
        ),
      );
      child.once('close', resolve);
    });
    if (signal.aborted) throw new Interrupted();
    if (exitCode !== 0) throw explainFailure(name, output, exitCode);
    return output;
  } finally {
    clearInterval(heartbeat);
    clearTimeout(killTimer);
    signal.removeEventListener('abort', interrupt);
    endGroup('SIGKILL');
  }
}
