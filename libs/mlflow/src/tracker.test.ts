import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Metric } from './entities.js';
import { MlflowUnavailable } from './errors.js';
import { MlflowClient } from './mlflow-client.js';
import { syncJournal } from './sync-journal.js';
import { MlflowServer } from './testing/mlflow-server.js';
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
const bySteps = (rows: Metric[]): Metric[] => rows.sort((a, b) => a.step - b.step || a.timestampMs - b.timestampMs);
const lossRows = async (runId: string): Promise<Metric[]> =>
  bySteps(await client.getMetricHistory(runId, 'train/loss'));
const runsOf = async (experiment: string): Promise<string[]> => {
  const found = await client.getExperimentByName(experiment);
  const runs = found ? await client.searchRuns({ experimentIds: [found.experimentId] }) : [];
  return runs.map(({ info }) => info.runId);
};

test('a run has what was logged, the source it came from, and an end', async () => {
  const tracker = await open({ runName: 'a name', tags: { 'nautil.data_digest': 'abc' } });
  tracker.params({ 'model.optim.lr': 1e-4, 'trainer.gpus': [0, 1], nothing: null, 'odd key(!)': 'x' });
  tracker.metrics([loss(1), { key: 'val/f1_macro', value: NaN, step: 1, timestampMs: 5 }]);
  tracker.text('config/resolved.yaml', 'a: 1\n');
  writeFileSync(join(folder, 'model.nemo'), 'weights');
  tracker.artifact(join(folder, 'model.nemo'));
  expect(await tracker.finish('FINISHED')).toBe(true);
  await tracker.close();

  const run = await client.getRun(tracker.runId!);
  expect(tracker.runUrl).toBe(
    `${server.trackingUri}/#/experiments/${run!.info.experimentId}/runs/${run!.info.runId}?workflowType=machine_learning`,
  );
  expect((await client.getExperiment(run!.info.experimentId)).tags).toMatchObject({
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
    'nautil.data_digest': 'abc',
    'mlflow.source.type': 'LOCAL',
    'mlflow.source.git.commit': expect.stringMatching(/^[0-9a-f]{40}$/),
  });
  expect(await lossRows(tracker.runId!)).toEqual([loss(1)]);
  expect((await client.listArtifacts(tracker.runId!)).map(({ path }) => path)).toEqual(['config', 'model.nemo']);
  expect(warnings).toEqual([]);
});

test('a run that is opened again goes on, repeated steps leave one row, another key gets a new run', async () => {
  const first = await open();
  first.params({ lr: 1 });
  first.metrics(steps(1, 30).map((step) => loss(step)));
  await first.finish('FAILED', 'step 31: out of memory');
  await first.close();
  expect((await client.getRun(first.runId!))?.tags).toMatchObject({
    'nautil.failure': 'step 31: out of memory',
    'mlflow.note.content': 'step 31: out of memory',
  });

  const again = await open();
  expect(again.runId).toBe(first.runId);
  again.params({ lr: 1 });
  // The resumed run repeats the steps after its checkpoint, at another time of day.
  for (const step of steps(21, 40)) again.metrics([loss(step, step > 30 ? 1000 + step : 900_000 + step)]);
  await again.flush();
  const running = await client.getRun(first.runId!);
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
  expect((await client.getRun(other.runId!))?.params).toEqual({ lr: '2' });
});

test('two processes with journals of their own add to one run', async () => {
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

test('a crash between the sending and its acknowledgement doubles nothing', async () => {
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
  expect((await client.getRun(tracker.runId!))?.info.status).toBe('FINISHED');
  expect(await runsOf('tracker')).toEqual([...new Set(await runsOf('tracker'))]);
});

test('one value that MLflow refuses is reported, and its neighbours arrive', async () => {
  const tracker = await open();
  tracker.params({ lr: '1e-4', kept: 'yes' });
  await tracker.flush();
  tracker.params({ lr: '2e-5', new1: '1', new2: '2' });
  tracker.metrics([loss(1)]);
  tracker.artifact(join(folder, 'gone.nemo'));
  tracker.text('#odd', '');
  await tracker.finish('FINISHED');
  await tracker.close();
  const run = await client.getRun(tracker.runId!);
  expect(run?.params).toEqual({ lr: '1e-4', kept: 'yes', new1: '1', new2: '2' });
  expect(run?.info.status).toBe('FINISHED');
  expect(await lossRows(tracker.runId!)).toEqual([loss(1)]);
  expect(warnings).toHaveLength(3);
  expect(warnings[0]).toContain("{'key': 'lr', 'old_value': '1e-4', 'new_value': '2e-5'}");
  expect(warnings[1]).toContain('gone.nemo is gone');
  expect(warnings[2]).toContain('"#odd" is not a plain relative path');
});

test('when somebody deleted the run, a new one is told everything', async () => {
  const tracker = await open();
  tracker.params({ lr: 1 });
  tracker.metrics(steps(1, 5).map((step) => loss(step)));
  await tracker.flush();
  const { runId } = tracker;
  await client.deleteRun(runId!);
  tracker.metrics([loss(6)]);
  await tracker.finish('FINISHED');
  await tracker.close();
  expect(tracker.runId).not.toBe(runId);
  expect(await lossRows(tracker.runId!)).toEqual(steps(1, 6).map((step) => loss(step)));
  expect((await client.getRun(tracker.runId!))?.params).toEqual({ lr: '1' });
});

test('a process killed -9 while it logs loses and doubles nothing', async () => {
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

test('the server killed -9 in the middle and started again: one warning, nothing lost, nothing doubled', async () => {
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

test('a server that is away when a run ends is waited for', async () => {
  const tracker = await open();
  await server.kill();
  const restarted = sleep(1500).then(() => server.restart());
  expect(await tracker.finish('FINISHED', undefined, { patienceMs: 60_000 })).toBe(true);
  await restarted;
  expect((await client.getRun(tracker.runId!))?.info.status).toBe('FINISHED');
  await tracker.close();
}, 90_000);

describe('without a server', () => {
  let hung: Server;
  let trackingUri: string;

  beforeAll(async () => {
    hung = createServer((socket) => socket.on('error', () => undefined)); // takes everything, answers nothing
    await new Promise<void>((resolve) => hung.listen(0, '127.0.0.1', resolve));
    trackingUri = `http://127.0.0.1:${(hung.address() as AddressInfo).port}`;
  });
  afterAll(() => void hung.close());

  test('one that hangs holds nobody up, and the journal is sent to one that answers', async () => {
    const started = performance.now();
    const tracker = await open({ client: undefined, trackingUri, connectTimeoutMs: 300 });
    expect(tracker.runId).toBeUndefined();
    const before = performance.now();
    for (const step of steps(1, 2000)) tracker.metrics([loss(step)]);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(await tracker.finish('FINISHED', undefined, { timeoutMs: 200 })).toBe(false);
    await tracker.close();
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(warnings).toEqual([expect.stringContaining('`nautil runs sync` sends it')]);

    const synced = await syncJournal(journal(), client);
    expect(await lossRows(synced.runId!)).toEqual(steps(1, 2000).map((step) => loss(step)));
    expect((await client.getRun(synced.runId!))?.info.status).toBe('FINISHED');
  });

  test('syncing says that the server is down, and what is no journal', async () => {
    const down = new MlflowClient({ trackingUri: await MlflowServer.freeAddress(), attempts: 2 });
    const tracker = await open({ client: down });
    await tracker.close();
    expect(warnings).toEqual([expect.stringContaining('ECONNREFUSED')]);
    await expect(syncJournal(journal(), down)).rejects.toBeInstanceOf(MlflowUnavailable);
    writeFileSync(join(folder, 'other.txt'), 'text\n');
    await expect(syncJournal(join(folder, 'other.txt'), client)).rejects.toThrow('is no journal of a run');
    expect(readFileSync(join(folder, 'other.txt'), 'utf8')).toBe('text\n');
  });
});
