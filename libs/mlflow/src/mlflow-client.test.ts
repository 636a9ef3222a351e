import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MlflowError } from './errors.js';
import { MlflowClient } from './mlflow-client.js';
import { MlflowServer } from './testing/mlflow-server.js';

let server: MlflowServer;
let client: MlflowClient;
let experimentId: string;
const folder = mkdtempSync(join(tmpdir(), 'nautil-mlflow-client-'));

beforeAll(async () => {
  server = await MlflowServer.start();
  client = new MlflowClient({ trackingUri: server.trackingUri });
  experimentId = await client.createExperiment('client', { purpose: 'tests' });
}, 180_000);

afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

const newRun = async (): Promise<string> => (await client.createRun({ experimentId, runName: 'run' })).info.runId;

test('an experiment is found by id and by name, and an unknown name is undefined', async () => {
  expect(await client.getExperiment(experimentId)).toMatchObject({ name: 'client', tags: { purpose: 'tests' } });
  expect((await client.getExperimentByName('client'))?.experimentId).toBe(experimentId);
  expect(await client.getExperimentByName('nowhere')).toBeUndefined();
  expect(await client.getRun('0123456789abcdef0123456789abcdef')).toBeUndefined();
});

test('a refused request says what was refused, and its code', async () => {
  const again = client.createExperiment('client');
  await expect(again).rejects.toBeInstanceOf(MlflowError);
  await expect(again).rejects.toMatchObject({
    status: 400,
    errorCode: 'RESOURCE_ALREADY_EXISTS',
    endpoint: 'POST experiments/create',
    retryable: false,
  });
});

test('a run keeps its params, tags, times and status', async () => {
  const run = await client.createRun({
    experimentId,
    runName: 'first',
    startTime: 1_700_000_000_000,
    tags: { a: 'b' },
  });
  await client.logBatch(run.info.runId, { params: { lr: '1e-4', empty: '' }, tags: { 'nautil.x': 'ä"\n' } });
  await client.updateRun(run.info.runId, { status: 'FINISHED', endTime: 1_700_000_001_000 });
  const read = await client.getRun(run.info.runId);
  expect(read?.info).toMatchObject({
    runName: 'first',
    status: 'FINISHED',
    startTime: 1_700_000_000_000,
    endTime: 1_700_000_001_000,
    experimentId,
  });
  expect(read?.params).toEqual({ lr: '1e-4', empty: '' });
  expect(read?.tags).toMatchObject({ a: 'b', 'nautil.x': 'ä"\n' });
});

test('the identical metric logged twice is one row', async () => {
  const runId = await newRun();
  const row = { key: 'val/f1_macro', value: 0.75, step: 3, timestampMs: 1_700_000_000_123 };
  await client.logMetric(runId, row);
  await client.logMetric(runId, row);
  expect(await client.getMetricHistory(runId, row.key)).toEqual([row]);
});

test('what no JSON number can say arrives: NaN, infinities, the smallest and a long fraction', async () => {
  const runId = await newRun();
  const values = [NaN, Infinity, -Infinity, 5e-324, 0.1 + 0.2, -0];
  const metrics = values.map((value, step) => ({ key: 'odd', value, step, timestampMs: 1 }));
  await client.logBatch(runId, { metrics });
  const rows = await client.getMetricHistory(runId, 'odd');
  const byStep = rows.sort((a, b) => a.step - b.step).map(({ value }) => value);
  expect(byStep[0]).toBeNaN();
  // SQLite has no infinity: MLflow keeps the largest double.
  expect(byStep.slice(1, 3).map((value) => Math.abs(value))).toEqual([Number.MAX_VALUE, Number.MAX_VALUE]);
  expect(byStep.slice(3, 5)).toEqual(values.slice(3, 5));
});

test('a batch larger than every limit of the server arrives whole', async () => {
  const runId = await newRun();
  const numbered = (prefix: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`${prefix}${i}`, String(i)]));
  const metrics = Array.from({ length: 2300 }, (_, step) => ({
    key: 'loss',
    value: step / 7,
    step,
    timestampMs: step,
  }));
  await client.logBatch(runId, { params: numbered('p'), tags: numbered('t'), metrics });
  const run = await client.getRun(runId);
  expect(run?.params).toEqual(numbered('p'));
  expect(run?.tags).toMatchObject(numbered('t'));
  expect(await client.getMetricHistory(runId, 'loss')).toEqual(metrics);
});

test('60 writes at once all succeed', async () => {
  const runId = await newRun();
  const metrics = Array.from({ length: 60 }, (_, step) => ({ key: 'at-once', value: step, step, timestampMs: 1 }));
  await Promise.all(metrics.map((metric) => client.logMetric(runId, metric)));
  expect(await client.getMetricHistory(runId, 'at-once')).toHaveLength(60);
});

test('searching goes through all pages, and stops at a limit', async () => {
  const id = await client.createExperiment('pages');
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const [i, runName] of names.entries()) await client.createRun({ experimentId: id, runName, startTime: i });
  const search = { experimentIds: [id], orderBy: ['attributes.start_time ASC'] };
  expect((await client.searchRuns(search)).map(({ info }) => info.runName)).toEqual(names);
  expect((await client.searchRuns({ ...search, limit: 3 })).map(({ info }) => info.runName)).toEqual(['a', 'b', 'c']);
  expect(await client.searchRuns({ ...search, filter: "tags.`mlflow.runName` = 'd'" })).toHaveLength(1);
});

test('artifacts go up and come down byte for byte, in folders, with odd names, empty, and over an older one', async () => {
  const runId = await newRun();
  const file = join(folder, 'model.bin');
  const back = join(folder, 'back', 'model.bin');
  for (const content of [randomBytes(3_000_000), randomBytes(10), Buffer.alloc(0)]) {
    writeFileSync(file, content);
    await client.logArtifact(runId, 'models/my model é+.bin', file);
    await client.downloadArtifact(runId, 'models/my model é+.bin', back);
    expect(readFileSync(back).equals(content)).toBe(true);
  }
  await client.logText(runId, 'report.txt', 'schön\n');
  await client.downloadArtifact(runId, 'report.txt', back);
  expect(readFileSync(back, 'utf8')).toBe('schön\n');
  expect(await client.listArtifacts(runId)).toEqual([
    { path: 'models', isFolder: true },
    { path: 'report.txt', isFolder: false, sizeBytes: 7 },
  ]);
  expect(await client.listArtifacts(runId, 'models')).toEqual([
    { path: 'models/my model é+.bin', isFolder: false, sizeBytes: 0 },
  ]);
});

test('a missing local file and a path out of the run are errors at once', async () => {
  const runId = await newRun();
  await expect(client.logArtifact(runId, 'x', join(folder, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(client.logText(runId, '../x', '')).rejects.toThrow('not a plain relative path');
});

test('a model is registered once per run and path, and found by alias', async () => {
  const runId = await newRun();
  await client.logText(runId, 'model.nemo', 'weights');
  const { registry } = client;
  const made = await registry.registerModel({ name: "it's", runId, path: 'model.nemo', tags: { f1: '0.9' } });
  expect(made).toMatchObject({ name: "it's", version: '1', runId });
  expect((await registry.registerModel({ name: "it's", runId, path: 'model.nemo' })).version).toBe('1');
  await registry.setRegisteredModelAlias("it's", 'champion', '1');
  expect((await registry.getModelVersionByAlias("it's", 'champion')).tags).toMatchObject({ f1: '0.9' });
  expect((await registry.getRegisteredModel("it's")).aliases).toEqual({ champion: '1' });
  expect((await registry.searchRegisteredModels()).map(({ name }) => name)).toEqual(["it's"]);
  await registry.deleteRegisteredModel("it's");
  expect(await registry.searchRegisteredModels()).toEqual([]);
});

test('a deleted run is no longer found by searching and says so itself', async () => {
  const runId = await newRun();
  await client.deleteRun(runId);
  expect((await client.getRun(runId))?.info.lifecycleStage).toBe('deleted');
  await client.restoreRun(runId);
  expect((await client.getRun(runId))?.info.lifecycleStage).toBe('active');
  await client.setTag(runId, 'once', '1');
  await client.deleteTag(runId, 'once');
  await client.deleteTag(runId, 'once');
  expect((await client.getRun(runId))?.tags).not.toHaveProperty('once');
});
