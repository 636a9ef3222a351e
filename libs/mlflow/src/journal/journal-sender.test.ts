import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { recordSyncs } from '@nautil/store/testing/record-syncs';
import { MlflowClient } from '../client/mlflow-client.js';
import { Journal } from './journal.js';
import { JournalSender } from './journal-sender.js';
import { LoggedSteps } from './logged-steps.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-sender-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('records are synced before they are sent, so a power cut leaves no position after the end of the journal', async () => {
  const path = join(folder, 'mlflow.jsonl');
  const journal = new Journal(path);
  journal.append({ type: 'tags', tags: { a: '1' } });
  const client = new MlflowClient({ trackingUri: 'http://127.0.0.1:9' });
  const sender = new JournalSender({ client, journal: path, warn: () => undefined });
  const synced = await recordSyncs(() => sender.send().catch(() => undefined));
  const position = expect.stringMatching(/\.mlflow\.jsonl\.sent\.[^/]+\.tmp$/);
  expect(synced).toEqual([path, position, folder]);
  journal.close();
});

test('steps that a power cut took out of the middle of a journal are logged again, and no others', async () => {
  const path = join(folder, 'zeros.jsonl');
  const journal = new Journal(path);
  const row = (step: number) => journal.append({ type: 'metrics', rows: [['loss', 1 / step, step, 1000 + step]] });
  journal.append({ type: 'open', key: 'key', experiment: 'e', runName: 'r', tags: {}, timestampMs: 1 });
  for (const step of [1, 2, 3]) row(step);
  const before = readFileSync(path).length;
  row(4);
  const after = readFileSync(path).length;
  row(5);
  const content = readFileSync(path);
  writeFileSync(path, content.fill(0, before + 10, after));
  const logged = await LoggedSteps.read(path, 'key');
  expect([1, 2, 3, 4, 5, 6].filter((step) => !logged.has('loss', step))).toEqual([4, 5, 6]);

  appendFileSync(path, '\n');
  row(6);
  const further = await LoggedSteps.read(path, 'key');
  expect([1, 2, 3, 4, 5, 6].filter((step) => !further.has('loss', step))).toEqual([4, 5]);

  truncateSync(path, before);
  const whole = await LoggedSteps.read(path, 'key');
  expect([1, 2, 3, 4].filter((step) => !whole.has('loss', step))).toEqual([4]);
  journal.close();
});

/** The warnings when a run is opened on a server that stores its artifacts at an address. */
async function warningsOnOpening(artifactUri: string, trackingUri = 'http://127.0.0.1:9'): Promise<string[]> {
  const path = join(mkdtempSync(join(folder, 'opened-')), 'mlflow.jsonl');
  const journal = new Journal(path);
  journal.append({ type: 'open', key: 'key', experiment: 'e', runName: 'r', tags: {}, timestampMs: 1 });
  const info = {
    run_id: '1',
    run_uuid: '1',
    experiment_id: '0',
    run_name: 'r',
    status: 'RUNNING',
    start_time: 1,
    artifact_uri: artifactUri,
    lifecycle_stage: 'active',
  };
  const run = { info, data: {} };
  const answer = { run, runs: [run], experiment: { experiment_id: '0', lifecycle_stage: 'active' } };
  const client = new MlflowClient({
    trackingUri,
    ownServer: trackingUri,
    fetch: () => Promise.resolve(new Response(JSON.stringify(answer))),
  });
  const warnings: string[] = [];
  const sender = new JournalSender({ client, journal: path, warn: (warning) => warnings.push(warning) });
  await sender.send();
  journal.close();
  return warnings;
}

test.each(['s3', 'gs', 'hdfs'])(
  'artifacts in a bucket (%s) are reported when a run is opened, with what would work',
  async (scheme) => {
    const [warning, ...others] = await warningsOnOpening(`${scheme}://bucket/1/artifacts`);
    expect(others).toEqual([]);
    expect(warning).toContain(
      `artifacts will not be tracked: the artifacts of this run are stored at ${scheme}://bucket/1/artifacts`,
    );
    expect(warning).toContain(`--artifacts-destination ${scheme}://bucket and without --default-artifact-root`);
    expect(warning).toContain('choose another experiment (exp_manager.name)');
  },
);

/** A file that can be read, as a certificate has to be. */
const certificate = fileURLToPath(import.meta.url);
const proxied = 'mlflow-artifacts:/0/1/artifacts';

test('artifacts that the server takes are not reported', async () =>
  expect(await warningsOnOpening(proxied)).toEqual([]));

test('variables for TLS are reported if the address of the server makes them ineffective', async () => {
  const names = [
    'MLFLOW_TRACKING_SERVER_CERT_PATH',
    'MLFLOW_TRACKING_CLIENT_CERT_PATH',
    'MLFLOW_TRACKING_INSECURE_TLS',
  ];
  try {
    for (const name of names) {
      process.env[name] = name.endsWith('PATH') ? certificate : 'true';
      const [warning, ...others] = await warningsOnOpening(proxied);
      expect(warning).toBe(`no effect: ${name}, because MLflow at http://127.0.0.1:9 is not reached by https`);
      expect(others).toEqual([]);
      expect(await warningsOnOpening(proxied, 'https://127.0.0.1:9')).toEqual([]);
      Reflect.deleteProperty(process.env, name);
    }
  } finally {
    for (const name of names) Reflect.deleteProperty(process.env, name);
  }
});
