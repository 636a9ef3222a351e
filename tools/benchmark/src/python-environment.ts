import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { benchmarkFolder, root } from './paths.js';

const requirementsFile = (name: string): string => join(root, 'tools', 'benchmark', 'peers', name);

/** A virtual environment with the peers. */
export interface PythonEnvironment {
  python: string;

  /** Of Python and of the packages in the requirements. */
  versions: Record<string, string>;
}

/**
 * Creates the peers' virtual environment unless it exists with the same requirements. pip uses the user's own configuration.
 *
 * @param o.gpu - whether peers train on a GPU
 */
export async function openPythonEnvironment(basePython: string, o: { gpu: boolean }): Promise<PythonEnvironment> {
  const folder = join(benchmarkFolder, 'venv');
  const python = join(folder, 'bin', 'python');
  const files = ['requirements.txt', ...(o.gpu ? ['requirements-gpu.txt'] : [])].map(requirementsFile);
  const requirements = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('');
  const stampFile = join(folder, 'benchmark-requirements');
  const stamp = createHash('sha256').update(requirements).digest('hex');
  if (!existsSync(python) || (await readFile(stampFile, 'utf8').catch(() => '')) !== stamp) {
    await rm(folder, { recursive: true, force: true });
    await run(basePython, ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-input', ...files.flatMap((file) => ['-r', file])]);
    await writeFile(stampFile, stamp);
  }
  const packages = [...requirements.matchAll(/^([\w-]+)==/gm)].map(([, name = '']) => name);
  return { python, versions: await versionsOf(python, packages) };
}

async function versionsOf(python: string, packages: readonly string[]): Promise<Record<string, string>> {
  const script = [
    'import platform, sys',
    'from importlib.metadata import version',
    'print("Python", platform.python_version())',
    'for name in sys.argv[1:]: print(name, version(name))',
  ].join('\n');
  const { stdout } = await promisify(execFile)(python, ['-c', script, ...packages]);
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
}

/** Runs a program to its end; its output goes to standard error. */
async function run(command: string, args: string[]): Promise<void> {
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 2, 2] });
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} ended with exit code ${code}`);
}
