import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

// Nx starts tasks, and tests start servers, in process groups of their own. All of them inherit a mark in their environment.
const mark = 'NAUTIL_TEST_RUN';

/**
 * Runs Nx until it ends or the signal aborts, and then ends every process that it started, so that an interrupted test leaves
 * nothing behind. Resolves to the exit code and, with `capture`, to the output of Nx.
 */
export function runNx(args, { signal, env = process.env, capture = false }) {
  const run = randomUUID();
  return new Promise((resolve, reject) => {
    const nx = spawn(process.execPath, [join(root, 'node_modules', 'nx', 'dist', 'bin', 'nx.js'), ...args], {
      cwd: root,
      env: { ...env, [mark]: run },
      stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
    });
    let output = '';
    nx.stdout?.setEncoding('utf8').on('data', (text) => (output += text));
    const end = () => endMarked(run);
    signal.addEventListener('abort', end, { once: true });
    nx.on('error', reject);
    nx.once('close', (exitCode) => {
      signal.removeEventListener('abort', end);
      end();
      resolve({ exitCode: exitCode ?? 1, output });
    });
  });
}

/** Ends every process with the mark of a run. Repeats until none is left, because one may start another in the meantime. */
function endMarked(run) {
  for (let rounds = 0; rounds < 100; rounds += 1) {
    const marked = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isMarked(pid, run));
    if (marked.length === 0) return;
    for (const pid of marked) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // it has ended by itself
      }
    }
  }
}

function isMarked(pid, run) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${mark}=${run}`);
  } catch {
    return false; // ended, or another user's
  }
}
