import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ServerStatus } from '@nautil/stack';
import { nautilHome, packageRoot } from '@nautil/store/folders';
import { freePort, identityOf } from '@nautil/store/process';
import { readyLine } from '../worker/ready-line.js';

// `up` with a real Temporal server and a real worker, in a state folder of its own. MLflow is a server that only has a version.

const home = mkdtempSync(join(tmpdir(), 'nautil-up-worker-'));
let mlflow: Server;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  symlinkSync(join(nautilHome(), 'python'), join(home, 'python'));
  mlflow = createServer((_request, response) => response.end('3.1.0'));
  const port = await freePort();
  await new Promise<void>((resolve) => mlflow.listen(port, '127.0.0.1', resolve));
  env = {
    ...process.env,
    NODE_OPTIONS: '',
    NAUTIL_HOME: home,
    NAUTIL_TEMPORAL_PORT: String(await freePort()),
    NAUTIL_TEMPORAL_UI_PORT: String(await freePort()),
    NAUTIL_TEMPORAL_ADDRESS: '',
    MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}`,
  };
});
afterAll(async () => {
  await nautil('down');
  mlflow.close();
  rmSync(home, { recursive: true, force: true });
}, 60_000);

const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');

function nautil(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [program, ...args], { env }, (_error, stdout, stderr) => resolve({ stdout, stderr })),
  );
}

async function worker(): Promise<ServerStatus> {
  const servers = JSON.parse((await nautil('status', '--json')).stdout) as ServerStatus[];
  return servers.find(({ name }) => name === 'worker')!;
}

/** The worker below its supervisor. */
const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);

test('a worker that is killed is reported and restarted, and polls its queue again', async () => {
  await nautil('up');
  const before = await worker();
  expect(before).toMatchObject({ state: 'running', ours: true, address: 'nautil' });
  const killed = childOf(before.pid!);
  process.kill(killed, 'SIGKILL');
  await sleep(300);
  const failed = await worker();
  expect(failed.state).not.toBe('running');
  expect(failed.problem).toMatch(/restart 1 of 5; it ended with SIGKILL/);
  expect((await nautil('doctor')).stdout).toMatch(/^[!✗] worker: .*ended with SIGKILL/m);

  const deadline = Date.now() + 60_000;
  while ((await worker()).state !== 'running' && Date.now() < deadline) await sleep(500);
  const after = await worker();
  expect(after).toMatchObject({ state: 'running', pid: before.pid });
  expect(childOf(before.pid!)).not.toBe(killed);
}, 120_000);

test('a worker that gets a signal twice, from `down` and from its supervisor, still shuts down in order', async () => {
  const address = `127.0.0.1:${env['NAUTIL_TEMPORAL_PORT']}`;
  const child = spawn(process.execPath, [program, 'worker', '--role', 'gpu', '--task-queue', 'twice'], {
    env: { ...env, NAUTIL_TEMPORAL_ADDRESS: address },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'close');
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  while (!output.includes(readyLine)) await once(child.stderr, 'data');
  await sleep(1000); // then it polls, and handles a signal at once
  child.kill('SIGTERM');
  await sleep(20);
  child.kill('SIGTERM');
  const [code, signal] = (await ended) as [number | null, string | null];
  expect(output.match(/STOPPED/g)).toHaveLength(2); // a worker for each of its two queues
  // The second signal may come while Node itself exits, which no longer handles signals.
  expect([code, signal]).toEqual(signal === null ? [0, null] : [null, 'SIGTERM']);
}, 60_000);

test('down ends the supervisor and the worker; doctor then has a warning with the remedy, and no tick', async () => {
  const { pid } = await worker();
  const child = childOf(pid!);
  expect((await nautil('down')).stderr).toContain('worker: stopped');
  expect([pid!, child].map(identityOf)).toEqual([undefined, undefined]);
  expect((await nautil('doctor')).stdout).toMatch(/^! worker: none is running\n {4}.*nautil up/m);
  expect(await worker()).toMatchObject({ state: 'stopped', ours: false });
}, 60_000);
