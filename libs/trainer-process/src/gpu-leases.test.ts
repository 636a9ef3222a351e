import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { type GpuLease, GpuLeases } from './gpu-leases.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-leases-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let scope: string;
beforeEach(() => {
  scope = `nautil-test-${process.pid}-${performance.now()}`;
});

/** The leases of a process on a machine with that many GPUs. */
const machine = (count: number, o: { asideMs?: number } = {}): GpuLeases =>
  new GpuLeases({ list: async () => Array.from({ length: count }, (_, i) => String(i)), scope, ...o });

const auto = (devices: number | string | number[]) => ({ accelerator: 'auto', devices }) as const;

/** Whether a lease has been given after a moment. */
async function isGiven(lease: Promise<unknown>): Promise<boolean> {
  return Promise.race([lease.then(() => true), sleep(400).then(() => false)]);
}

test('two trainings on a machine with two GPUs get one each, and a third waits for the first that is free', async () => {
  const leases = machine(2);
  const [first, second] = await Promise.all([leases.lease(auto(1)), leases.lease(auto(1))]);
  expect([...first!.gpus, ...second!.gpus].sort()).toEqual(['0', '1']);
  let waits = 0;
  const third = leases.lease(auto(1), { onWait: () => (waits += 1) });
  expect(await isGiven(third)).toBe(false);
  expect(waits).toBe(1);
  await second!.release();
  expect((await third)!.gpus).toEqual(second!.gpus);
});

test('a training gets the GPUs that it lists, and waits until they are free, while others get the rest', async () => {
  const leases = machine(3);
  const listed = await leases.lease(auto([1]));
  expect(listed!.gpus).toEqual(['1']);
  const same = leases.lease(auto('1,2'));
  expect(await isGiven(same)).toBe(false);
  expect((await leases.lease(auto(1)))!.gpus).toEqual(['0']);
  await listed!.release();
  expect((await same)!.gpus).toEqual(['1', '2']);
});

test.each([2, -1, 'auto'])(
  'trainings that each ask for devices=%j do not wait for each other for ever',
  async (devices) => {
    const leases = machine(2);
    const other = machine(2); // as in another process
    const one = await leases.lease(auto([1]));
    const pending = [leases.lease(auto(devices)), other.lease(auto(devices))];
    await sleep(300);
    await one!.release();
    const first = await Promise.race(pending);
    expect(first!.gpus).toEqual(['0', '1']);
    await first!.release();
    const leased = await Promise.all(pending);
    expect(leased.map((lease) => lease!.gpus)).toEqual([
      ['0', '1'],
      ['0', '1'],
    ]);
  },
);

test('a training without a GPU, or with more than there are, gets no lease', async () => {
  await expect(machine(0).lease(auto(1))).resolves.toBeUndefined();
  await expect(machine(0).lease(auto(-1))).resolves.toBeUndefined();
  await expect(machine(2).lease(auto(3))).resolves.toBeUndefined();
  await expect(machine(2).lease(auto([2]))).resolves.toBeUndefined();
  await expect(machine(2).lease({ accelerator: 'cpu', devices: 1 })).resolves.toBeUndefined();
});

test('a GPU that failed is set aside, so that the retry gets another one, and used again when all have failed', async () => {
  const leases = machine(2);
  const failed = await leases.lease(auto(1));
  expect(failed!.setAside()).toBe(true);
  await failed!.release();
  const retry = await leases.lease(auto(1));
  expect(retry!.gpus).not.toEqual(failed!.gpus);
  // Another training waits rather than take the failed one.
  const waiting = leases.lease(auto(1));
  expect(await isGiven(waiting)).toBe(false);
  expect(retry!.setAside()).toBe(false);
  await expect(waiting).resolves.toMatchObject({ gpus: failed!.gpus });
});

test('a GPU that was set aside is leased to a training that lists it, and to all after some time', async () => {
  const leases = machine(2, { asideMs: 300 });
  const failed: GpuLease[] = [(await leases.lease(auto([0])))!];
  failed[0]!.setAside();
  await failed[0]!.release();
  const again = await leases.lease(auto([0]));
  expect(again!.gpus).toEqual(['0']);
  await again!.release();
  await sleep(350);
  expect((await leases.lease(auto(1)))!.gpus).toEqual(['0']);
});

test('the message of a task that waits blames no training for a name that another program holds, and states how to find it', async () => {
  const name = `${scope}-0`.padEnd(107, '.');
  const holder = fork('-e', [`require('net').createServer().listen('\\0${name}', () => process.send('held'))`], {
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  await once(holder, 'message');
  const messages: string[] = [];
  const lease = machine(1).lease(auto(1), { onWait: (message) => messages.push(message) });
  expect(await isGiven(lease)).toBe(false);
  expect(messages).toEqual([
    expect.stringMatching(/another process of this machine.*`sudo ss -xlp \| grep nautil-test-.*CUDA_VISIBLE_DEVICES/),
  ]);
  holder.kill('SIGKILL');
  expect((await lease)!.gpus).toEqual(['0']);
});

test('a list that names a GPU twice is not waited for', async () => {
  for (const devices of ['0,0', [1, 1], '0,1,01'])
    await expect(machine(2).lease({ accelerator: 'gpu', devices })).resolves.toBeUndefined();
});

test('an abort ends the waiting with its reason, and frees what was held', async () => {
  const leases = machine(2);
  const one = await leases.lease(auto([1]));
  const controller = new AbortController();
  const both = leases.lease(auto(2), { signal: controller.signal });
  await sleep(100);
  controller.abort(new Error('cancelled'));
  await expect(both).rejects.toThrow('cancelled');
  await one!.release();
  await expect(leases.lease(auto(2))).resolves.toMatchObject({ gpus: ['0', '1'] });
});

test('a name fills the whole address, so that Node 20, which pads shorter ones, and Node 22, which does not, exclude each other', async () => {
  const lease = await machine(1).lease(auto(1));
  const sockets = readFileSync('/proc/net/unix', 'utf8').split('\n');
  const address = sockets
    .find((line) => line.includes(`@${scope}-0`))
    ?.split(' ')
    .at(-1);
  expect(address).toBe(`@${`${scope}-0`.padEnd(107, '.')}`);
  await lease!.release();
});

test('a lease excludes other processes, and ends with its process', async () => {
  const program = join(folder, 'hold.mjs');
  const source = pathToFileURL(join(import.meta.dirname, 'gpu-leases.ts')).href;
  writeFileSync(
    program,
    `const { GpuLeases } = await import(${JSON.stringify(source)});
     const leases = new GpuLeases({ list: async () => ['0'], scope: ${JSON.stringify(scope)} });
     await leases.lease({ accelerator: 'gpu', devices: 1 });
     setInterval(() => {}, 60_000); // a lease does not keep its process alive
     process.send('held');`,
  );
  const child: ChildProcess = fork(program, {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  await once(child, 'message');
  const lease = machine(1).lease(auto(1));
  expect(await isGiven(lease)).toBe(false);
  child.kill('SIGKILL');
  await expect(lease).resolves.toMatchObject({ gpus: ['0'] });
});
