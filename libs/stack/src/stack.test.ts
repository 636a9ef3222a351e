import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { nautilHome } from '@nautil/store/folders';
import { identityOf } from '@nautil/store/process';
import { freePort, isPortFree } from '@nautil/store/process';
import { groupMembers } from './process-group.js';
import { stackStatus, startStack, stopStack } from './stack.js';
import { readRecord, writeRecord } from './stack-record.js';
import { stackAddresses } from './stack-settings.js';
import { startProcess } from './start-process.js';

// These tests start the real servers, in state folders of their own.
const python = join(nautilHome(), 'python');
const root = mkdtempSync(join(tmpdir(), 'nautil-stack-'));
const homes: string[] = [];

/** Switches to another state folder, as another checkout would use. */
function enter(name: string): void {
  const home = join(root, name);
  if (!homes.includes(home)) {
    mkdirSync(home);
    homes.push(home);
    if (name !== 'not-set-up') symlinkSync(python, join(home, 'python'));
  }
  process.env['NAUTIL_HOME'] = home;
}

let ports: { temporalPort: number; temporalUiPort: number; mlflowPort: number };
beforeAll(async () => {
  for (const name of ['NAUTIL_TEMPORAL_ADDRESS', 'MLFLOW_TRACKING_URI']) delete process.env[name];
  ports = { temporalPort: await freePort(), temporalUiPort: await freePort(), mlflowPort: await freePort() };
});
afterAll(async () => {
  for (const home of homes) {
    process.env['NAUTIL_HOME'] = home;
    await stopStack();
  }
  rmSync(root, { recursive: true, force: true });
}, 30_000);

const stateOf = async (): Promise<string[]> =>
  (await stackStatus(ports)).map(({ name, state, ours }) => `${name} ${state}${ours ? ', ours' : ''}`);

test('without the set-up nothing is started, and the error names the command to run', async () => {
  enter('not-set-up');
  await expect(startStack(ports)).rejects.toMatchObject({ name: 'NotSetUp', hint: 'run `npx nautil setup`' });
  expect(readRecord()).toEqual({});
  expect(await stopStack()).toEqual([]);
});

test('a worker may take longer than a server to end, because its stages write checkpoints', async () => {
  enter('slow-worker');
  const { identity, logFile } = await startProcess({
    name: 'worker',
    command: '/bin/sh',
    args: ['-c', 'trap "sleep 12; echo saved; exit" TERM; echo started; while :; do sleep 0.1; done'],
    logFile: join(root, 'slow-worker/worker.log'),
    outlivesParent: true,
  });
  while (!readFileSync(logFile, 'utf8').includes('started')) await sleep(50);
  await writeRecord({ worker: { identity, logFile, address: 'nautil', since: new Date().toISOString() } });
  expect(await stopStack()).toEqual(['worker']);
  expect(readFileSync(logFile, 'utf8')).toContain('saved');
}, 60_000);

test('a port in use is reported, and what was started by then is stopped', async () => {
  enter('in-use');
  const server = createServer((socket) => socket.destroy()); // it listens, and is not MLflow
  await new Promise<void>((resolve) => server.listen(ports.mlflowPort, '127.0.0.1', resolve));
  try {
    await expect(startStack(ports)).rejects.toMatchObject({
      name: 'PortInUse',
      message: expect.stringContaining(`process ${process.pid}`),
      hint: expect.stringContaining('NAUTIL_MLFLOW_PORT'),
    });
    expect(readRecord()).toEqual({});
    expect(await isPortFree(ports.temporalPort)).toBe(true);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('the servers are started, found by the next start, and found without their ports', async () => {
  enter('first');
  const { started } = await startStack(ports);
  expect([...started].sort()).toEqual(['mlflow', 'temporal']);
  expect(await stateOf()).toEqual(['temporal running, ours', 'mlflow running, ours', 'worker stopped']);

  const lines: string[] = [];
  expect((await startStack({ onProgress: (line) => lines.push(line) })).started).toEqual([]);
  expect(lines.map((line) => line.split(' at ')[0]).sort()).toEqual([
    'MLflow: already running',
    'Temporal: already running',
  ]);
  expect(stackAddresses()).toEqual({
    temporal: { address: `127.0.0.1:${ports.temporalPort}`, namespace: 'default', security: {} },
    temporalUiUrl: `http://127.0.0.1:${ports.temporalUiPort}`,
    mlflowTrackingUri: `http://127.0.0.1:${ports.mlflowPort}`,
  });
  await expect(startStack({ temporalPort: ports.temporalUiPort })).rejects.toThrow('is already running at');
}, 90_000);

test('another checkout uses the running servers, finds them later without their ports, and does not stop them', async () => {
  enter('second');
  const lines: string[] = [];
  expect((await startStack({ ...ports, onProgress: (line) => lines.push(line) })).started).toEqual([]);
  expect(lines.join('\n')).toMatch(/Nautil did not start it[^]*Nautil did not start it/);
  expect(stackAddresses()).toMatchObject({
    temporal: { address: `127.0.0.1:${ports.temporalPort}` },
    mlflowTrackingUri: `http://127.0.0.1:${ports.mlflowPort}`,
  });
  expect(await stateOf()).toEqual(['temporal running', 'mlflow running', 'worker stopped']);
  expect(await stopStack()).toEqual([]);
  expect(await stateOf()).toEqual(['temporal running', 'mlflow running', 'worker stopped']);
});

test('a server that was killed is restarted on its old port, and nothing else is started', async () => {
  enter('first');
  const before = readRecord();
  process.kill((await stackStatus()).find(({ name }) => name === 'temporal')!.pid!, 'SIGKILL');
  const { started } = await startStack();
  expect(started).toEqual(['temporal']);
  expect(readRecord().mlflow).toEqual(before.mlflow);
  expect(readRecord().temporal?.address).toBe(before.temporal?.address);
  expect(readRecord().temporal?.identity).not.toBe(before.temporal?.identity);
}, 30_000);

test('the error for a worker that ends shows its log, and the servers stay', async () => {
  const worker = { command: '/bin/sh', args: ['-c', 'echo no such module; sleep 0.5; exit 1'], taskQueue: 'nautil' };
  await expect(startStack({ worker })).rejects.toThrow(/^worker ended before it was ready[^]*no such module/);
  expect(await stateOf()).toEqual(['temporal running, ours', 'mlflow running, ours', 'worker stopped']);
});

test('a worker that lives but does not poll its task queue is not healthy, and the next start replaces it', async () => {
  const idle = await startProcess({
    name: 'worker',
    command: '/bin/sleep',
    args: ['300'],
    logFile: join(nautilHome(), 'idle.log'),
    outlivesParent: true,
  });
  const { identity, logFile } = idle;
  const worker = { identity, address: 'nautil', logFile, since: '2026-01-01T00:00:00Z' };
  await writeRecord({ ...readRecord(), worker });
  const status = async () => (await stackStatus(ports)).find(({ name }) => name === 'worker');
  expect(await status()).toMatchObject({
    state: 'failing',
    ours: true,
    problem: 'it has not polled task queue nautil for a minute; `npx nautil up` replaces it',
  });
  await writeRecord({ ...readRecord(), worker: { ...worker, since: new Date().toISOString() } });
  expect(await status()).toMatchObject({ state: 'starting' });

  const lines: string[] = [];
  const other = { command: '/bin/false', args: [], taskQueue: 'nautil' };
  await expect(startStack({ worker: other, onProgress: (line) => lines.push(line) })).rejects.toThrow('worker ended');
  expect(lines.join('\n')).toContain(`process ${idle.pid} does not poll task queue nautil; it is replaced`);
  expect(groupMembers(identity)).toEqual([]);
}, 30_000);

test('a worker that ended by itself is reported until it is started again or stopped, with the cause', async () => {
  const identity = identityOf(process.pid)!.replace(/\d+$/, '1');
  await writeRecord({
    ...readRecord(),
    worker: { identity, address: 'nautil', logFile: 'worker.log', since: '2026-01-01T00:00:00Z' },
  });
  const status = async () => (await stackStatus(ports)).find(({ name }) => name === 'worker');
  expect(await status()).toMatchObject({ state: 'stopped', problem: expect.stringContaining('ended without') });
  const cause = 'ended with exit code 1: error: no such namespace';
  const supervision = { state: 'gave-up', supervisor: process.pid, restarts: 5, limit: 5, cause };
  writeFileSync(join(nautilHome(), 'worker.json'), JSON.stringify(supervision));
  expect(await status()).toMatchObject({
    state: 'failing',
    problem: `failed after 5 restarts: it ${cause}; \`npx nautil up\` starts it again`,
  });
});

test('stopStack leaves no process behind, even of a server whose leader was killed', async () => {
  const { temporal, mlflow } = readRecord();
  process.kill((await stackStatus()).find(({ name }) => name === 'mlflow')!.pid!, 'SIGKILL');
  expect((await stopStack()).sort()).toEqual(['mlflow', 'temporal']);
  for (const { identity } of [temporal!, mlflow!]) expect(groupMembers(identity)).toEqual([]);
  for (const port of Object.values(ports)) expect(await isPortFree(port)).toBe(true);
  expect(await stopStack()).toEqual([]);
  expect(await stateOf()).toEqual(['temporal stopped', 'mlflow stopped', 'worker stopped']);
}, 30_000);

test('the record of a stack that has ended is ignored', () => {
  enter('stale');
  const identity = identityOf(process.pid)!.replace(/\d+$/, '1');
  const server = { identity, address: '127.0.0.1:1', logFile: 'x', since: '2026-01-01T00:00:00Z' };
  writeFileSync(join(nautilHome(), 'stack.json'), JSON.stringify({ temporal: server, mlflow: server }));
  expect(stackAddresses().temporal.address).toBe('127.0.0.1:7233');
  // The process id belongs to another process now, which must not be stopped.
  return expect(stopStack())
    .resolves.toEqual([])
    .then(() => {
      expect(JSON.parse(readFileSync(join(nautilHome(), 'stack.json'), 'utf8'))).toEqual({});
    });
});

test('a damaged record is reported with its path and what to do', () => {
  enter('damaged');
  writeFileSync(join(nautilHome(), 'stack.json'), '{"temporal":{"identity":1}}');
  expect(() => readRecord()).toThrow(/stack\.json is invalid: value\/temporal/);
  rmSync(join(nautilHome(), 'stack.json'));
});
