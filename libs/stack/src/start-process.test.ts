import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { identityOf, type ProcessIdentity } from '@nautil/store/process';
import { groupMembers } from './process-group.js';
import { type RunningProcess, startProcess, untilReady } from './start-process.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-process-'));
const running: RunningProcess[] = [];
afterAll(async () => {
  await Promise.all(running.map((process) => process.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(script: string, o: { outlivesParent?: boolean } = {}): Promise<RunningProcess> {
  const started = await startProcess({
    name: 'program',
    command: '/bin/sh',
    args: ['-c', script],
    logFile: join(folder, `${running.length}.log`),
    outlivesParent: o.outlivesParent ?? true,
  });
  running.push(started);
  return started;
}

async function members(identity: ProcessIdentity, count: number): Promise<number[]> {
  for (let turn = 0; groupMembers(identity).length !== count && turn < 200; turn++) await sleep(25);
  return groupMembers(identity);
}

test.each([true, false])(
  'kill ends the whole group, even processes that ignore SIGTERM (outlivesParent: %s)',
  async (outlivesParent) => {
    const started = await start("(trap '' TERM; sleep 301) & sleep 302 & wait", { outlivesParent });
    expect((await members(started.identity, outlivesParent ? 3 : 5)).length).toBeGreaterThanOrEqual(3);
    started.kill();
    expect(await members(started.identity, 0)).toEqual([]);
  },
);

test('processes that outlived their leader are found and stopped', async () => {
  const started = await start('sleep 303 & sleep 304 & wait');
  await members(started.identity, 3);
  process.kill(started.pid, 'SIGKILL');
  expect(await members(started.identity, 2)).toHaveLength(2);
  await started.stop();
  expect(groupMembers(started.identity)).toEqual([]);
});

test('a program ends with its parent, even if the parent is killed with kill -9', async () => {
  const script = new URL('./testing/hold-child.ts', import.meta.url).pathname;
  const parent = spawn(process.execPath, ['--import', 'tsx', script, join(folder, 'held.log')], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
  const identity = identityOf(Number(pid))!;
  expect(groupMembers(identity).length).toBeGreaterThan(0);
  parent.kill('SIGKILL');
  expect(await members(identity, 0)).toEqual([]);
});

test('the error for a program that ends before it is ready shows its last output', async () => {
  const started = await start('echo the disk is gone >&2; sleep 0.5; exit 3');
  await expect(untilReady(started, { isReady: async () => false, timeoutMs: 10_000 })).rejects.toMatchObject({
    name: 'ServerFailed',
    message: expect.stringMatching(/^program ended before it was ready[^]*the disk is gone/),
    hint: expect.stringContaining(started.logFile),
  });
});

test('a program that is not ready in time is stopped', async () => {
  const started = await start('sleep 305');
  await expect(untilReady(started, { isReady: async () => false, timeoutMs: 50 })).rejects.toThrow(
    'not ready after 0.05 s',
  );
  expect(groupMembers(started.identity)).toEqual([]);
});

test('the log of the previous start is kept', async () => {
  const again = { name: 'p', command: '/bin/sh', logFile: join(folder, 'twice.log'), outlivesParent: true };
  for (const word of ['first', 'second']) {
    const started = await startProcess({ ...again, args: ['-c', `echo ${word}; sleep 306`] });
    running.push(started);
    for (let turn = 0; !readFileSync(again.logFile, 'utf8').includes(word) && turn < 200; turn++) await sleep(10);
  }
  expect([readFileSync(again.logFile, 'utf8'), readFileSync(`${again.logFile}.1`, 'utf8')]).toEqual([
    'second\n',
    'first\n',
  ]);
});

test('the error for a missing program names the set-up', async () => {
  await expect(
    startProcess({
      name: 'x',
      command: join(folder, 'none'),
      args: [],
      logFile: join(folder, 'x.log'),
      outlivesParent: true,
    }),
  ).rejects.toMatchObject({ name: 'NotSetUp', hint: 'run `npx nautil setup`' });
});
