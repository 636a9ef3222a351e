import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { deleteRun } from './client/delete-run.js';
import { MlflowUnavailable } from './client/errors.js';
import { getExperimentByName } from './client/get-experiment-by-name.js';
import { getRun } from './client/get-run.js';
import type { Metric } from './client/metric.js';
import { MlflowClient } from './client/mlflow-client.js';
import { searchRuns } from './client/search-runs.js';
import { findJournals } from './journal/summarize-journal.js';
import { syncJournal } from './journal/sync-journal.js';
import { MlflowServer } from './testing/mlflow-server.js';
import { artifactPaths, datasetsOf, experimentTags, metricHistory, modelVersions } from './testing/read-server.js';
import { openTracker, type Tracker, type TrackerOptions } from './tracker.js';

let server: MlflowServer;
let client: MlflowClient;
const folder = mkdtempSync(join(tmpdir(), 'nautil-tracker-'));
let warnings: string[];
let number = 0;

beforeAll(async () => {
  server = await MlflowServer.start();
  client = new MlflowClient({ trackingUri: server.trackingUri });
}, 180_000);

beforeEach(() => {
  warnings = [];
  number++;
});

afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

const journal = (): string => join(folder, `run-${number}`, 'mlflow.jsonl');

const open = (o: Partial<TrackerOptions> = {}): Promise<Tracker> =>
  openTracker({
    client,
    experiment: 'tracker',
    workflowId: `it's "run" ${number}`,
    runKey: 'first',
    journal: journal(),
    warn: (message) => warnings.push(message),
    ...o,
  });

const loss = (step: number, timestampMs = 1000 + step): Metric => ({
  key: 'train/loss',
  value: 1 / step,
  step,
  timestampMs,
});
const steps = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const lossRows = (runId: string): Promise<Metric[]> => metricHistory(client, runId, 'train/loss');
const runsOf = async (experiment: string): Promise<string[]> => {
  const found = await getExperimentByName(client, experiment);
  const runs = found ? await searchRuns(client, { experimentIds: [found.experimentId] }) : [];
  return runs.map(({ info }) => info.runId);
};

test('a run has what was logged, the commit of the code, and an end', async () => {
  const tracker = await open({ runName: 'a name', tags: { 'nautil.dataset': 'abc' } });
  tracker.params({ 'model.optim.lr': 1e-4, 'trainer.gpus': [0, 1], nothing: null, 'odd key(!)': 'x' });
  tracker.metrics([loss(1), { key: 'val/f1_macro', value: NaN, step: 1, timestampMs: 5 }]);
  tracker.text('config/resolved.yaml', 'a: 1\n');
  writeFileSync(join(folder, 'model.nemo'), 'weights');
  tracker.artifact(join(folder, 'model.nemo'));
  expect(await tracker.finish('FINISHED')).toBe(true);
  await tracker.close();

  const run = await getRun(client, tracker.runId!);
  expect(tracker.runUrl).toBe(
    `${server.trackingUri}/#/experiments/${run!.info.experimentId}/runs/${run!.info.runId}?workflowType=machine_learning`,
  );
  expect(await experimentTags(client, run!.info.experimentId)).toMatchObject({
    'mlflow.experimentKind': 'custom_model_development',
  });
  expect(run!.info).toMatchObject({ runName: 'a name', status: 'FINISHED' });
  expect(run!.params).toEqual({
    'model.optim.lr': '0.0001',
    'trainer.gpus': '[0,1]',
    nothing: 'null',
    'odd key___': 'x',
  });
  expect(run!.tags).toMatchObject({
    'nautil.workflow_id': `it's "run" ${number}`,
    'nautil.dataset': 'abc',
    'mlflow.source.type': 'LOCAL',
    'mlflow.source.git.commit': expect.stringMatching(/^[0-9a-f]{40}$/),
  });
  expect(await lossRows(tracker.runId!)).toEqual([loss(1)]);
  expect(await artifactPaths(client, tracker.runId!)).toEqual(['config/', 'model.nemo']);
  expect(warnings).toEqual([]);
});

test.each([
  'model.nemo_path',
  'exp_manager.exp_dir',
  'model.train_ds.file_path',
  'model.class_labels.class_labels_file',
  'nautil.data.source',
])('the place %s is in the journal, and no param of the run', async (key) => {
  const tracker = await open();
  tracker.params({ [key]: 'a/b', 'model.optim.lr': 1 });
  await tracker.finish('FINISHED');
  await tracker.close();
  expect((await getRun(client, tracker.runId!))!.params).toEqual({ 'model.optim.lr': '1' });
  expect(readFileSync(journal(), 'utf8')).toContain(`"${key}":"a/b"`);
});

test('the datasets of a run are its inputs, once each however often they are logged', async () => {
  const set = { source: '/data/reviews.csv', rows: 80, columns: ['text', 'label'], digest: 'f'.repeat(64) };
  const datasets = [
    { ...set, name: 'reviews.csv', context: 'training' as const },
    { ...set, name: 'reviews.csv', context: 'validation' as const, digest: 'e'.repeat(64), rows: 20 },
    { ...set, name: 'Größe "1" \u{1F600}', context: 'testing' as const },
  ];
  const log = async (): Promise<string> => {
    const tracker = await open({ datasets });
    await tracker.finish('FINISHED');
    await tracker.close();
    return tracker.runId!;
  };
  const first = await log();
  expect(await log()).toBe(first);
  const inputs = await datasetsOf(client, first);
  expect(inputs).toHaveLength(datasets.length);
  for (const { name, context, digest, source, rows } of datasets)
    expect(inputs).toContainEqual({ name, context, digest: digest.slice(0, 12), source, rows });
  expect(warnings).toEqual([]);
});

test('a run that is reopened continues, repeated steps leave one row, another key gets a new run', async () => {
  const first = await open();
  first.params({ lr: 1 });
  first.metrics(steps(1, 30).map((step) => loss(step)));
  await first.finish('FAILED', 'step 31: out of memory');
  await first.close();
  expect((await getRun(client, first.runId!))?.tags).toMatchObject({
    'nautil.failure': 'step 31: out of memory',
    'mlflow.note.content': 'step 31: out of memory',
  });

  const again = await open();
  expect(again.runId).toBe(first.runId);
  again.params({ lr: 1 });
  // The resumed run repeats the steps after its checkpoint, at another time of day.
  for (const step of steps(21, 40)) again.metrics([loss(step, step > 30 ? 1000 + step : 900_000 + step)]);
  await again.flush();
  const running = await getRun(client, first.runId!);
  expect(running?.info.status).toBe('RUNNING');
  expect(running?.tags).not.toHaveProperty('nautil.failure');
  await again.finish('FINISHED');
  await again.close();
  expect(await lossRows(first.runId!)).toEqual(steps(1, 40).map((step) => loss(step)));
  expect(warnings).toEqual([]);

  const other = await open({ runKey: 'second', journal: `${journal()}.second` });
  other.params({ lr: 2 });
  await other.finish('FINISHED');
  await other.close();
  expect(other.runId).not.toBe(first.runId);
  expect((await getRun(client, other.runId!))?.params).toEqual({ lr: '2' });
});

test('two processes with separate journals add to the same run', async () => {
  const training = await open();
  training.metrics([loss(1)]);
  await training.flush();
  const packaging = await open({ journal: `${journal()}.package` });
  packaging.text('report.json', '{}');
  await packaging.finish('FINISHED');
  expect(packaging.runId).toBe(training.runId);
  await Promise.all([training.close(), packaging.close()]);
  expect(await lossRows(training.runId!)).toHaveLength(1);
});

test('a crash between sending and writing the position duplicates nothing', async () => {
  const tracker = await open();
  tracker.params({ a: 1 });
  await tracker.flush();
  copyFileSync(`${journal()}.sent`, `${journal()}.sent-before`);
  tracker.metrics(steps(1, 2500).map((step) => loss(step)));
  tracker.text('report.txt', 'once');
  await tracker.finish('FINISHED');
  await tracker.close();

  copyFileSync(`${journal()}.sent-before`, `${journal()}.sent`);
  expect(await syncJournal(journal(), client)).toMatchObject({ runId: tracker.runId, refusals: 0 });
  rmSync(`${journal()}.sent`);
  expect(await syncJournal(journal(), client)).toMatchObject({ runId: tracker.runId, refusals: 0 });
  expect(await syncJournal(journal(), client)).toMatchObject({ sentBytes: 0 });

  expect(await lossRows(tracker.runId!)).toEqual(steps(1, 2500).map((step) => loss(step)));
  expect((await getRun(client, tracker.runId!))?.info.status).toBe('FINISHED');
  expect(await runsOf('tracker')).toEqual([...new Set(await runsOf('tracker'))]);
});

test('a value that MLflow refuses is reported, and its neighbours arrive', async () => {
  const tracker = await open();
  tracker.params({ lr: '1e-4', kept: 'yes' });
  await tracker.flush();
  tracker.params({ lr: '2e-5', new1: '1', new2: '2' });
  tracker.metrics([loss(1)]);
  tracker.artifact(join(folder, 'gone.nemo'));
  tracker.text('#odd', '');
  await tracker.finish('FINISHED');
  await tracker.close();
  const run = await getRun(client, tracker.runId!);
  expect(run?.params).toEqual({ lr: '1e-4', kept: 'yes', new1: '1', new2: '2' });
  expect(run?.info.status).toBe('FINISHED');
  expect(await lossRows(tracker.runId!)).toEqual([loss(1)]);
  expect(warnings).toHaveLength(3);
  expect(warnings[0]).toContain("{'key': 'lr', 'old_value': '1e-4', 'new_value': '2e-5'}");
  expect(warnings[1]).toContain('gone.nemo does not exist any more');
  expect(warnings[2]).toContain('"#odd" is not a plain relative path');
});

test('a model whose server is down at the end of the run is reported, and registered once by a later sync', async () => {
  const path = 'model/reviews.nemo';
  const archive = join(folder, `run-${number}.nemo`);
  writeFileSync(archive, 'weights');
  const down = new MlflowClient({ trackingUri: await MlflowServer.freeAddress(), attempts: 1 });
  const tracker = await open({ client: down });
  tracker.artifact(archive, path);
  const register = { name: 'late', path };
  expect(await tracker.finish('FINISHED', undefined, { register })).toBe(false);
  await tracker.close();
  expect(warnings.at(-1)).toMatch(/its model is not registered as late; `npx nautil runs sync` sends it/);

  expect(await modelVersions(client, "name='late'")).toEqual([]);
  expect(await syncJournal(journal(), client)).toMatchObject({ refusals: 0 });
  rmSync(`${journal()}.sent`);
  await syncJournal(journal(), client);
  expect(await modelVersions(client, "name='late'")).toEqual(['1']);
});

test('a model registry that fails leaves the run complete and the registration pending', async () => {
  const archive = join(folder, `run-${number}.nemo`);
  writeFileSync(archive, 'weights');
  const withoutRegistry = new MlflowClient({
    trackingUri: server.trackingUri,
    attempts: 1,
    fetch: (url, init) =>
      url instanceof URL && url.pathname.includes('registered-models')
        ? Promise.resolve(new Response('{"error_code":"PERMISSION_DENIED","message":"no"}', { status: 403 }))
        : fetch(url, init),
  });
  const tracker = await open({ client: withoutRegistry });
  tracker.artifact(archive, 'model.nemo');
  const register = { name: 'denied', path: 'model.nemo' };
  expect(await tracker.finish('FINISHED', undefined, { register })).toBe(false);
  await tracker.close();
  expect((await getRun(client, tracker.runId!))?.info.status).toBe('FINISHED');
  expect(warnings.at(-1)).toContain('its model is not registered as denied');
  expect(await findJournals(join(folder, `run-${number}`))).toMatchObject([{ status: 'FINISHED', unsent: 1 }]);
  await syncJournal(journal(), client);
  expect(await modelVersions(client, "name='denied'")).toEqual(['1']);
});

test('a name that MLflow refuses, and an archive that was not stored, are reported and register nothing', async () => {
  const archive = join(folder, `run-${number}.nemo`);
  writeFileSync(archive, 'weights');
  const tracker = await open();
  tracker.artifact(archive, 'model.nemo');
  expect(await tracker.finish('FINISHED', undefined, { register: { name: 'a/b', path: 'model.nemo' } })).toBe(true);
  tracker.artifact(join(folder, 'gone.nemo'), 'model/gone.nemo');
  const missing = { name: 'missing', path: 'model/gone.nemo' };
  expect(await tracker.finish('FINISHED', undefined, { register: missing })).toBe(true);
  await tracker.close();
  expect(warnings).toEqual([
    expect.stringMatching(
      /^not tracked: a version of the model a\/b: .*register model.nemo in MLflow under another name/,
    ),
    expect.stringContaining('gone.nemo does not exist any more'),
    'not tracked: a version of the model missing: the run has no artifact model/gone.nemo',
  ]);
  expect(await modelVersions(client, "name='missing'")).toEqual([]);
});

test('when a user has deleted the run, everything is sent to a new one', async () => {
  const tracker = await open();
  tracker.params({ lr: 1 });
  tracker.metrics(steps(1, 5).map((step) => loss(step)));
  await tracker.flush();
  const { runId } = tracker;
  await deleteRun(client, runId!);
  tracker.metrics([loss(6)]);
  await tracker.finish('FINISHED');
  await tracker.close();
  expect(tracker.runId).not.toBe(runId);
  expect(await lossRows(tracker.runId!)).toEqual(steps(1, 6).map((step) => loss(step)));
  expect((await getRun(client, tracker.runId!))?.params).toEqual({ lr: '1' });
});

test('a process killed with SIGKILL while it logs loses and duplicates nothing', async () => {
  const program = fileURLToPath(new URL('./testing/log-until-killed.ts', import.meta.url));
  let last = 0;
  for (const atStep of [40, 300]) {
    const child = spawn(process.execPath, ['--import', 'tsx', program, journal(), server.trackingUri], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (text: Buffer) => {
        last = Math.max(last, ...text.toString().trim().split('\n').map(Number));
        if (last >= atStep) child.kill('SIGKILL');
      });
      child.once('exit', () => resolve());
    });
  }
  const { runId } = await syncJournal(journal(), client);
  expect(await runsOf('killed')).toEqual([runId]);
  const logged = (await lossRows(runId!)).map(({ step }) => step);
  expect(logged.length).toBeGreaterThanOrEqual(last);
  expect(logged).toEqual(steps(1, logged.length));
});

test('a server that is killed and restarted during a run causes one warning; nothing is lost or duplicated', async () => {
  const tracker = await open({ client: new MlflowClient({ trackingUri: server.trackingUri, attempts: 1 }) });
  let step = 0;
  const train = async (count: number): Promise<void> => {
    for (const until = step + count; step < until;) {
      step++;
      tracker.metrics([loss(step)]);
      await sleep(2);
    }
  };
  const logging = train(600);
  await sleep(700);
  await server.kill();
  await logging;
  expect(await tracker.flush({ timeoutMs: 2000 })).toBe(false);
  await train(100);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(server.trackingUri);
  await server.restart();
  await train(100);
  await tracker.finish('FINISHED');
  await tracker.close();
  expect(await lossRows(tracker.runId!)).toEqual(steps(1, step).map((at) => loss(at)));
  expect(warnings).toHaveLength(1);
}, 180_000);

test('finish waits for a server that is away when the run ends', async () => {
  const tracker = await open();
  await server.kill();
  const restarted = sleep(1500).then(() => server.restart());
  expect(await tracker.finish('FINISHED', undefined, { patienceMs: 60_000 })).toBe(true);
  await restarted;
  expect((await getRun(client, tracker.runId!))?.info.status).toBe('FINISHED');
  await tracker.close();
}, 90_000);

describe('without a server', () => {
  let hung: Server;
  let trackingUri: string;

  beforeAll(async () => {
    hung = createServer((socket) => socket.on('error', () => undefined)); // accepts connections and never responds
    await new Promise<void>((resolve) => hung.listen(0, '127.0.0.1', resolve));
    trackingUri = `http://127.0.0.1:${(hung.address() as AddressInfo).port}`;
  });
  afterAll(() => void hung.close());

  test('a server that hangs delays nothing, and the journal can be sent to another server', async () => {
    const started = performance.now();
    const tracker = await open({ client: undefined, trackingUri, connectTimeoutMs: 300 });
    expect(tracker.runId).toBeUndefined();
    const before = performance.now();
    for (const step of steps(1, 2000)) tracker.metrics([loss(step)]);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(await tracker.finish('FINISHED', undefined, { timeoutMs: 200 })).toBe(false);
    await tracker.close();
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(warnings).toEqual([expect.stringContaining('`npx nautil runs sync` sends it')]);

    const synced = await syncJournal(journal(), client);
    expect(await lossRows(synced.runId!)).toEqual(steps(1, 2000).map((step) => loss(step)));
    expect((await getRun(client, synced.runId!))?.info.status).toBe('FINISHED');
  });

  test('syncing reports a server that is down, and a file that is not a journal', async () => {
    const down = new MlflowClient({ trackingUri: await MlflowServer.freeAddress(), attempts: 2 });
    const tracker = await open({ client: down });
    await tracker.close();
    expect(warnings).toEqual([expect.stringContaining('ECONNREFUSED')]);
    await expect(syncJournal(journal(), down)).rejects.toBeInstanceOf(MlflowUnavailable);
    writeFileSync(join(folder, 'other.txt'), 'text\n');
    await expect(syncJournal(join(folder, 'other.txt'), client)).rejects.toThrow('is not the journal of a run');
    expect(readFileSync(join(folder, 'other.txt'), 'utf8')).toBe('text\n');
  });
});

test('a server that is down is reported once by a caller that only ends the run, with the reason', async () => {
  const reported: string[] = [];
  const trackingUri = 'http://127.0.0.1:9';
  const tracker = await openTracker({
    trackingUri,
    experiment: 'e',
    journal: journal(),
    isEnding: true,
    warn: (message) => reported.push(message),
  });
  await tracker.finish('FINISHED', undefined, { timeoutMs: 2000 });
  await tracker.close();
  expect(reported).toEqual([
    expect.stringMatching(/^a part of the run is only in .* so far \(MLflow at .*\); `npx nautil/),
  ]);
});
