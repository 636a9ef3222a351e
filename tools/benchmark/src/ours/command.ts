import { spawn } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { root, sst2, stateFolder } from '../paths.js';

/** Makes a state folder with the installed programs of the checkout's own, and without its store, runs and servers. */
export async function makeStateFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  for (const part of ['models', 'python', 'tensorflow']) await symlink(join(stateFolder, part), join(path, part));
  return path;
}

/** Overrides of a run of MiniLM-L6 on SST-2 that leaves its files in `folder`. */
export const sst2Overrides = (folder: string, batches?: string): string[] => [
  '--config-name',
  'sst2',
  'trainer.max_epochs=1',
  'optim=adamw',
  'model.optim.lr=1e-4',
  `nautil.data.source=${sst2}`,
  `model.nemo_path=${join(folder, 'model.nemo')}`,
  `exp_manager.exp_dir=${join(folder, 'logs')}`,
  ...(batches ? [`trainer.limit_train_batches=${batches}`] : []),
];

/** `npx nx run trainer:train -- …`, as a user types it. */
export const nxTrain = (overrides: readonly string[]): string[] => [
  'npx',
  'nx',
  'run',
  'trainer:train',
  '--',
  ...overrides,
];

/** The command `nautil`. */
export const nautil = (...args: string[]): string[] => [
  process.execPath,
  join(root, 'apps', 'cli', 'bin', 'nautil.mjs'),
  ...args,
];

/**
 * Runs a command in the checkout to its end. Returns the seconds that it took, or until the first line that matches `until`, after
 * which the command is interrupted.
 *
 * @throws Error with the end of its output when it fails
 */
export async function timeCommand(
  [command = '', ...args]: readonly string[],
  o: { env: Record<string, string>; until?: RegExp },
): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', FORCE_COLOR: '0', INIT_CWD: root, ...o.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let matchedAt: number | undefined;
  const take = (text: string): void => {
    output = (output + text).slice(-20_000);
    if (matchedAt !== undefined || !o.until?.test(output) || child.pid === undefined) return;
    matchedAt = performance.now();
    signalGroup(child.pid, 'SIGINT');
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
  // It has a process group of its own, so that an interrupt reaches what it has started.
  const forward = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined) signalGroup(child.pid, signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, forward);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, forward);
  });
  if (matchedAt === undefined && (code !== 0 || o.until))
    throw new Error(`${args.slice(0, 4).join(' ')} ended with exit code ${code}: ${output.slice(-500)}`);
  return ((matchedAt ?? performance.now()) - startedAt) / 1000;
}

/** Sends a signal to a process and what it has started, unless all of them have ended. */
function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
