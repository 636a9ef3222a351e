import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { openTracker } from '../tracker.js';
import { createExperiment } from './create-experiment.js';
import { logArtifact } from './log-artifact.js';
import { MlflowClient } from './mlflow-client.js';
import { readTrackingAddress, withholdsCredentials } from './tracking-address.js';

const names = ['MLFLOW_TRACKING_URI', 'MLFLOW_TRACKING_TOKEN', 'MLFLOW_TRACKING_USERNAME', 'MLFLOW_TRACKING_PASSWORD'];
const before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
const servers: Server[] = [];

/** Sets the variables of MLflow, and deletes those that are not given. */
function setEnvironment(values: Record<string, string | undefined>): void {
  for (const name of names) {
    if (values[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = values[name];
  }
}

beforeEach(() => setEnvironment({}));
afterEach(async () => {
  setEnvironment(before);
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

/** A server that records the Authorization headers that it gets. */
async function listen(
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ address: string; received: (string | undefined)[] }> {
  const received: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    received.push(request.headers.authorization);
    request.resume();
    respond(request, response);
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

const asJson = (response: ServerResponse, value: unknown): void => void response.end(JSON.stringify(value));

const run = {
  info: {
    run_id: '1',
    run_uuid: '1',
    experiment_id: '0',
    run_name: 'x',
    status: 'RUNNING',
    start_time: 1,
    artifact_uri: 'mlflow-artifacts:/0/1/artifacts',
    lifecycle_stage: 'active',
  },
  data: {},
};

/** Answers every request as MLflow would. */
const asMlflow = (_: IncomingMessage, response: ServerResponse): void =>
  asJson(response, {
    experiment_id: '0',
    experiment: { experiment_id: '0', lifecycle_stage: 'active' },
    run,
    runs: [],
  });

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test.each([
  ['a token', { MLFLOW_TRACKING_TOKEN: 'secret' }],
  ['a user and a password', { MLFLOW_TRACKING_USERNAME: 'alice', MLFLOW_TRACKING_PASSWORD: 'secret' }],
  ['an address with a password', { MLFLOW_TRACKING_URI: 'http://alice:secret@own:5000' }],
])('%s in the environment is for the origin that the environment names, and for no other', async (_, values) => {
  const named = await listen(asMlflow);
  setEnvironment({ MLFLOW_TRACKING_URI: 'http://own:5000', ...values });
  for (const address of [
    named.address,
    'http://own:5001',
    'https://own:5000',
    'http://own.example:5000',
    'http://other:secret2@other',
  ])
    expect(String(readTrackingAddress(address).authorization)).not.toContain(readTrackingAddress().authorization);
  expect(readTrackingAddress('http://own:5000/path/').authorization).toBe(readTrackingAddress().authorization);
  expect(readTrackingAddress().authorization).toMatch(/^(Bearer|Basic) ./);

  const client = new MlflowClient({ trackingUri: named.address });
  await createExperiment(client, 'x');
  await logArtifact(client, '1', 'a.txt', { text: 'a' });
  await withFolder({}, async (folder) => {
    writeFileSync(join(folder, 'file'), 'content');
    await logArtifact(client, '1', 'b.txt', { file: join(folder, 'file') });
    const tracker = await openTracker({
      trackingUri: named.address,
      experiment: 'x',
      journal: join(folder, 'a.jsonl'),
    });
    await tracker.close();
  });
  expect(named.received.length).toBeGreaterThan(6);
  expect(new Set(named.received)).toEqual(new Set([undefined]));
});

test('an address that a run names gets the credentials in it, and never those of the environment beside them', () => {
  setEnvironment({ MLFLOW_TRACKING_URI: 'http://own', MLFLOW_TRACKING_PASSWORD: 'secret', MLFLOW_TRACKING_TOKEN: 't' });
  expect(readTrackingAddress('http://bob@elsewhere').authorization).toBe(basic('bob:'));
  expect(readTrackingAddress('http://bob:p%40w%@elsewhere').authorization).toBe(basic('bob:p@w%'));
});

test('without MLFLOW_TRACKING_URI, only the server that the process calls its own gets credentials', () => {
  setEnvironment({ MLFLOW_TRACKING_TOKEN: 'secret' });
  expect(readTrackingAddress('http://127.0.0.1:5000')).toEqual({ trackingUri: 'http://127.0.0.1:5000', isOwn: false });
  expect(readTrackingAddress('http://127.0.0.1:5000', 'http://127.0.0.1:5000').authorization).toBe('Bearer secret');
  expect(readTrackingAddress('http://127.0.0.1:5001', 'http://127.0.0.1:5000').authorization).toBeUndefined();
});

test('credentials are withheld if there are any and the server is another one', () => {
  setEnvironment({ MLFLOW_TRACKING_URI: 'http://own' });
  expect(withholdsCredentials('http://other')).toBe(false);
  setEnvironment({ MLFLOW_TRACKING_URI: 'http://own', MLFLOW_TRACKING_TOKEN: 'secret' });
  expect(withholdsCredentials('http://other')).toBe(true);
  expect(withholdsCredentials('http://own/x')).toBe(false);
  expect(withholdsCredentials('http://own/x', 'http://other')).toBe(true);
});

test.each([301, 302, 303, 307, 308])('a redirect (%i) to another origin carries no credentials', async (status) => {
  const other = await listen(asMlflow);
  const own = await listen((request, response) => {
    response.writeHead(status, { location: other.address + (request.url ?? '') }).end();
  });
  setEnvironment({ MLFLOW_TRACKING_URI: own.address, MLFLOW_TRACKING_TOKEN: 'secret' });
  const client = new MlflowClient();
  await createExperiment(client, 'x');
  await withFolder({}, async (folder) => {
    writeFileSync(join(folder, 'file'), 'content');
    const put = client.send('PUT', '/artifact', { file: join(folder, 'file') });
    await put.catch(() => undefined); // an upload follows no redirect
  });
  expect(own.received).toEqual(['Bearer secret', 'Bearer secret']);
  expect(other.received).toEqual([undefined]);
});
