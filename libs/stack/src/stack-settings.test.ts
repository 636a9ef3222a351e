import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { identityOf } from '@nautil/store/process';
import { startStack } from './stack.js';
import { stackAddresses } from './stack-settings.js';
import { plainConnection } from './temporal-connection.js';

// A record of running servers, whose processes only sleep.

const home = mkdtempSync(join(tmpdir(), 'nautil-stack-settings-'));
const sleeper = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
const mlflow = createServer((_, response) => response.end('3.17.2'));
let mlflowTrackingUri: string;

beforeAll(async () => {
  process.env['NAUTIL_HOME'] = home;
  for (const name of ['NAUTIL_TEMPORAL_PORT', 'NAUTIL_TEMPORAL_UI_PORT', 'NAUTIL_MLFLOW_PORT'])
    Reflect.deleteProperty(process.env, name);
  await new Promise<void>((resolve) => mlflow.listen(0, '127.0.0.1', resolve));
  mlflowTrackingUri = `http://127.0.0.1:${(mlflow.address() as AddressInfo).port}`;
  const started = { identity: identityOf(sleeper.pid ?? 0), logFile: 'x.log', since: new Date().toISOString() };
  const record = {
    temporal: { ...started, address: '127.0.0.1:50001', uiUrl: 'http://127.0.0.1:50002' },
    mlflow: { ...started, address: 'http://127.0.0.1:50003' },
  };
  writeFileSync(join(home, 'stack.json'), JSON.stringify(record));
});
afterAll(() => {
  sleeper.kill();
  mlflow.close();
  rmSync(home, { recursive: true });
});

const running = {
  temporal: plainConnection('127.0.0.1:50001'),
  temporalUiUrl: 'http://127.0.0.1:50002',
  mlflowTrackingUri: 'http://127.0.0.1:50003',
};

test('without a choice, the addresses are those of the running servers', () => {
  expect(stackAddresses()).toEqual(running);
});

test.each([
  [{ temporalPort: 6001 }, { temporal: plainConnection('127.0.0.1:6001'), temporalUiUrl: 'http://127.0.0.1:8233' }],
  [{ temporalUiPort: 6002 }, { temporalUiUrl: 'http://127.0.0.1:6002' }],
  [{ mlflowPort: 6003 }, { mlflowTrackingUri: 'http://127.0.0.1:6003' }],
])('the port in %j is preferred to that of the running server', (chosen, address) => {
  expect(stackAddresses(chosen)).toEqual({ ...running, ...address });
});

test.each([
  [{ temporalPort: 6001 }, 'Temporal is already running at 127.0.0.1:50001, not at 127.0.0.1:6001'],
  [
    { temporalUiPort: 6002 },
    "Temporal's UI is already running at http://127.0.0.1:50002, not at http://127.0.0.1:6002",
  ],
])('starting the stack with another port than that of a running server, %j, is an error', async (chosen, message) => {
  await expect(startStack({ ...chosen, mlflowTrackingUri })).rejects.toThrow(message);
});
