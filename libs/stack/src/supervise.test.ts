import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { readSupervision, supervise, type SupervisedProgram } from './supervise.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-supervise-'));
const starts = join(folder, 'starts');
process.env['NAUTIL_HOME'] = folder;
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const file of [starts, join(folder, 'worker.json')]) rmSync(file, { force: true });
});

const events: string[] = [];

/** Supervises a shell script, which counts its starts. */
function program(script: string, o: Partial<SupervisedProgram> = {}): SupervisedProgram {
  events.length = 0;
  return {
    command: '/bin/sh',
    args: ['-c', `echo x >> ${starts}; ${script}`],
    limit: 3,
    readyLine: 'ready',
    firstWaitMs: 1,
    onEvent: (line) => events.push(line),
    ...o,
  };
}

const startCount = (): number => (existsSync(starts) ? readFileSync(starts, 'utf8').trim().split('\n').length : 0);

test('a program that fails again and again is restarted up to the limit, and the record states why it ended', async () => {
  const script = 'echo ready >&2; echo "error: no such namespace" >&2; echo stopped >&2; exit 1';
  expect(await supervise(program(script))).toBe(1);
  expect(startCount()).toBe(4);
  const cause = 'ended with exit code 1: error: no such namespace';
  expect(readSupervision()).toEqual({ state: 'gave-up', supervisor: process.pid, restarts: 3, limit: 3, cause });
  expect(events).toEqual([
    `${cause}; restart 1 of 3 in 0.001 s`,
    `${cause}; restart 2 of 3 in 0.002 s`,
    `${cause}; restart 3 of 3 in 0.004 s`,
    `it failed after 3 restarts and is not started again: ${cause}`,
  ]);
});

test('a program that succeeds after a restart ends the supervision', async () => {
  const script = `echo ready >&2; test $(wc -l < ${starts}) -gt 1`;
  expect(await supervise(program(script))).toBe(0);
  expect(startCount()).toBe(2);
});

test('a program that a signal ended is restarted', async () => {
  const script = `echo ready >&2; test $(wc -l < ${starts}) -gt 1 || kill -9 $$`;
  expect(await supervise(program(script))).toBe(0);
  expect(events).toEqual(['ended with SIGKILL; restart 1 of 3 in 0.001 s']);
});

test('a program that was never ready is not restarted, nor is one that refuses its options', async () => {
  expect(await supervise(program('exit 4'))).toBe(4);
  expect(await supervise(program('echo ready >&2; exit 2'))).toBe(2);
  expect(startCount()).toBe(2);
});

test('a program that cannot be run is an error', async () => {
  await expect(supervise(program('', { command: join(folder, 'missing') }))).rejects.toMatchObject({ code: 'ENOENT' });
});

test.each([
  ['while it runs', 'trap "exit 0" TERM; echo ready >&2; while :; do sleep 0.1; done', 1],
  ['while it waits for a restart', 'echo ready >&2; exit 1', 60_000],
])('SIGTERM ends the supervision %s', async (_when, script, firstWaitMs) => {
  const supervised = supervise(program(script, { firstWaitMs }));
  const deadline = Date.now() + 5000;
  const isReached = (): boolean => (firstWaitMs > 1 ? readSupervision()?.state === 'waiting' : startCount() === 1);
  while (!isReached() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  await new Promise((resolve) => setTimeout(resolve, 200));
  process.emit('SIGTERM');
  await supervised;
  expect(startCount()).toBe(1);
});

test('SIGTERM before the program has started prevents its start', async () => {
  const supervised = supervise(program('echo ready >&2; sleep 60'));
  process.emit('SIGTERM');
  expect(await supervised).toBe(0);
  expect(startCount()).toBe(0);
});

test('a damaged record is as none', () => {
  writeFileSync(join(folder, 'worker.json'), '{"state":"fine"}');
  expect(readSupervision()).toBeUndefined();
});
