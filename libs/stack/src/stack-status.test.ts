import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { freePort } from '@nautil/store/process';
import { stackStatus } from './stack.js';

const before = { ...process.env };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nautil-stack-status-'));
  for (const name of Object.keys(process.env))
    if (/^((NAUTIL_)?TEMPORAL|MLFLOW)_/.test(name)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, { NAUTIL_HOME: folder, XDG_CONFIG_HOME: folder });
});
afterEach(() => {
  process.env = { ...before };
  rmSync(folder, { recursive: true, force: true });
});

const statusOf = async (name: 'temporal' | 'mlflow') => (await stackStatus()).find(({ name: found }) => found === name);

describe('a server whose address is a setting is unreachable, not stopped, and the status has the cause', () => {
  test.each(['TEMPORAL_ADDRESS', 'NAUTIL_TEMPORAL_ADDRESS'])('%s: a name without an address', async (variable) => {
    process.env[variable] = 'none.invalid';
    expect(await statusOf('temporal')).toMatchObject({
      state: 'unreachable',
      address: 'none.invalid:7233',
      problem: expect.stringMatching(/getaddrinfo E\w+ none\.invalid/),
    });
  });

  test('TEMPORAL_ADDRESS: a port on which nothing listens', async () => {
    process.env['TEMPORAL_ADDRESS'] = `127.0.0.1:${await freePort()}`;
    const problem = expect.stringContaining('ECONNREFUSED');
    expect(await statusOf('temporal')).toMatchObject({ state: 'unreachable', problem });
  });

  test('a certificate that is not in PEM format', async () => {
    const file = join(folder, 'ca.pem');
    writeFileSync(file, 'CERTIFICATE');
    Object.assign(process.env, {
      TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
      TEMPORAL_TLS_CLIENT_CERT_PATH: file,
      TEMPORAL_TLS_CLIENT_KEY_PATH: file,
    });
    const problem = 'TLS: a certificate or a key of the settings is not in PEM format';
    expect(await statusOf('temporal')).toMatchObject({ state: 'unreachable', problem });
  });

  test('MLFLOW_TRACKING_URI: a name without an address, and a server that is not MLflow', async () => {
    process.env['MLFLOW_TRACKING_URI'] = 'http://none.invalid:5000';
    const problem = expect.stringMatching(/getaddrinfo E\w+ none\.invalid/);
    expect(await statusOf('mlflow')).toMatchObject({ state: 'unreachable', problem });
    const other = await listen('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    process.env['MLFLOW_TRACKING_URI'] = `http://127.0.0.1:${other.port}`;
    const noMlflow = expect.stringContaining('status 404');
    expect(await statusOf('mlflow')).toMatchObject({ state: 'unreachable', problem: noMlflow });
    other.server.close();
  });
});

test('a server that `nautil up` would start is stopped', async () => {
  Object.assign(process.env, {
    NAUTIL_TEMPORAL_PORT: String(await freePort()),
    NAUTIL_MLFLOW_PORT: String(await freePort()),
  });
  expect(await statusOf('temporal')).toMatchObject({ state: 'stopped' });
  expect(await statusOf('mlflow')).toMatchObject({ state: 'stopped' });
});

test("an address of MLflow's that is not a URL is an error that names the variable", async () => {
  process.env['MLFLOW_TRACKING_URI'] = 'http://a:notaport';
  await expect(stackStatus()).rejects.toMatchObject({
    kind: 'usage',
    hint: expect.stringContaining('MLFLOW_TRACKING_URI'),
  });
});

/** A server that sends the same response to each request. */
async function listen(response: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.once('data', () => socket.end(response)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}
