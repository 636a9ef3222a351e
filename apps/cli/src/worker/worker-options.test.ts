import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { exitCodes } from '@nautil/contracts';
import { parseWorkerOptions } from './worker-options.js';

test('without options a worker takes both roles on the default queue, one training at a time', () => {
  expect(parseWorkerOptions([])).toEqual({ role: 'all', taskQueue: 'nautil', trainings: 1 });
});

test('options say otherwise', () => {
  const args = ['--role', 'gpu', '--task-queue=reviews', '--trainings', '4'];
  expect(parseWorkerOptions(args)).toEqual({ role: 'gpu', taskQueue: 'reviews', trainings: 4 });
});

test.each([
  [['--role', 'tpu'], /--role is tpu, not cpu, gpu or all/],
  [['--trainings', 'many'], /--trainings is many, not a whole number/],
  [['--trainings', '0'], /--trainings is 0/],
  [['--trainings=-1'], /--trainings is -1/],
  [['--trainings', '1.5'], /--trainings is 1\.5/],
  [['--task-queue', ''], /--task-queue is ""/],
  [['--task-queue', 'a@b'], /no name for a queue/],
  [['--task-queue', 'nautil-gpu'], /no name for a queue/],
  [['--queue', 'x'], /--queue/],
  [['nautil'], /nautil/],
])('%j is refused', (args, message) => {
  expect(() => parseWorkerOptions(args)).toThrow(message);
});

test('the program says it without a stack, with the exit code of wrong usage', () => {
  const main = new URL('main.ts', import.meta.url).pathname;
  const env = { ...process.env, NODE_OPTIONS: '' };
  const args = ['--import', 'tsx', main, '--trainings', 'NaN'];
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  expect(status).toBe(exitCodes.usage);
  expect(stderr).toBe('--trainings is NaN, not a whole number from 1 to 999\n  --trainings 1\n');
});
