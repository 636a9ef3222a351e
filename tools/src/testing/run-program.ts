import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** The checkout that the tests stand in. */
export const root = resolve(import.meta.dirname, '../../..');

export interface Ended {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program of the checkout to its end, as typed: without a shell and without a terminal. */
export function runProgram(
  command: string,
  args: string[],
  o: { cwd?: string; env?: Record<string, string | undefined>; input?: string } = {},
): Promise<Ended> {
  return new Promise((done, reject) => {
    const child = spawn(command, args, {
      cwd: o.cwd ?? root,
      env: { ...process.env, NODE_OPTIONS: '', FORCE_COLOR: '0', INIT_CWD: undefined, ...o.env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (exitCode) => done({ exitCode, stdout, stderr }));
    child.stdin.end(o.input);
  });
}
