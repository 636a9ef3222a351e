import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { Command } from 'commander';
import { exitCodes } from '@nautil/contracts';
import { packageRoot } from '@nautil/store/folders';
import { addWorker } from './worker.js';

/** Parses options without starting a worker. */
function parse(...args: string[]): Record<string, unknown> {
  const program = new Command('nautil').exitOverride().configureOutput({ writeErr: () => undefined });
  addWorker(program);
  const worker = program.commands[0]?.action(() => undefined);
  program.parse(['worker', ...args], { from: 'user' });
  return worker?.opts() ?? {};
}

test('without options a worker takes both roles on the default queue, one training at a time', () => {
  expect(parse()).toEqual({ role: 'all', taskQueue: 'nautil', trainings: 1, restarts: 0 });
});

test('options replace the defaults', () => {
  const options = parse('--role', 'gpu', '--task-queue=reviews', '--trainings', '4', '--restarts', '5');
  expect(options).toEqual({ role: 'gpu', taskQueue: 'reviews', trainings: 4, restarts: 5 });
});

test.each([
  [['--role', 'tpu'], /'tpu' is invalid. Allowed choices are cpu, gpu, all/],
  [['--trainings', 'many'], /'many' is invalid. A whole number from 1 to 999/],
  [['--trainings', '0'], /'0' is invalid/],
  [['--trainings=-1'], /'-1' is invalid/],
  [['--trainings', '1.5'], /'1\.5' is invalid/],
  [['--restarts', 'often'], /'often' is invalid. A whole number from 0 to 999/],
  [['--task-queue', ''], /'' is invalid. A task queue is named with/],
  [['--task-queue', 'a@b'], /'a@b' is invalid/],
  [['--task-queue', 'nautil-gpu'], /'nautil-gpu' is invalid/],
  [['--queue', 'x'], /unknown option '--queue'/],
  [['nautil'], /too many arguments/],
])('%j is rejected', (args, message) => {
  expect(() => parse(...args)).toThrow(message);
});

test('the command reports a wrong option without a stack, with the exit code of wrong usage', () => {
  const program = `${packageRoot()}/apps/cli/bin/nautil.mjs`;
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { status, stderr } = spawnSync(process.execPath, [program, 'worker', '--trainings', 'NaN'], {
    env,
    encoding: 'utf8',
  });
  expect(status).toBe(exitCodes.usage);
  expect(stderr).toBe(
    "error: option '--trainings <n>' argument 'NaN' is invalid. A whole number from 1 to 999 is expected.\n`npx nautil worker --help` lists its options\n",
  );
});
