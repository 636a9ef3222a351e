import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MlflowServer } from '../testing/mlflow-server.js';
import { artifactBytes, artifactPaths, experimentTags, metricHistory, modelVersions } from '../testing/read-server.js';
import { artifactLocation } from './artifact-location.js';
import { createExperiment } from './create-experiment.js';
import { createRun } from './create-run.js';
import { deleteRun } from './delete-run.js';
import { deleteTag } from './delete-tag.js';
import { MlflowError } from './errors.js';
import { getExperimentByName } from './get-experiment-by-name.js';
import { getRun } from './get-run.js';
import { logArtifact } from './log-artifact.js';
import { logBatch } from './log-batch.js';
import { MlflowClient } from './mlflow-client.js';
import { registerModel } from './register-model.js';
import { searchRuns } from './search-runs.js';
import { updateRun } from './update-run.js';

let server: MlflowServer;
let client: MlflowClient;
let experimentId: string;
const folder = mkdtempSync(join(tmpdir(), 'nautil-mlflow-client-'));

beforeAll(async () => {
  server = await MlflowServer.start();
  client = new MlflowClient({ trackingUri: server.trackingUri });
  experimentId = await createExperiment(client, 'client', { purpose: 'tests' });
}, 180_000);

afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

const newRun = async (): Promise<string> => (await createRun(client, { experimentId, runName: 'run' })).info.runId;

test('an experiment is found by its name, and an unknown name is undefined', async () => {
  expect(await getExperimentByName(client, 'client')).toEqual({ experimentId, lifecycleStage: 'active' });
  expect(await experimentTags(client, experimentId)).toMatchObject({ purpose: 'tests' });
  expect(await getExperimentByName(client, 'nowhere')).toBeUndefined();
  expect(await getRun(client, '0123456789abcdef0123456789abcdef')).toBeUndefined();
});

test('the error for a refused request names the request and has the code of MLflow', async () => {
  const again = createExperiment(client, 'client');
  await expect(again).rejects.toBeInstanceOf(MlflowError);
  await expect(again).rejects.toMatchObject({
    status: 400,
    errorCode: 'RESOURCE_ALREADY_EXISTS',
    endpoint: 'POST experiments/create',
    retryable: false,
  });
});

test('a run has the params, tags, times and status that were logged', async () => {
  const run = await createRun(client, {
    experimentId,
    runName: 'first',
    startTime: 1_700_000_000_000,
    tags: { a: 'b' },
  });
  const { runId } = run.info;
  await logBatch(client, runId, { params: { lr: '1e-4', empty: '' }, tags: { 'nautil.x': 'ä"\n' } });
  await updateRun(client, runId, { status: 'FINISHED', endTime: 1_700_000_001_000 });
  const read = await getRun(client, runId);
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
  await logBatch(client, runId, { metrics: [row] });
  await logBatch(client, runId, { metrics: [row] });
  expect(await metricHistory(client, runId, row.key)).toEqual([row]);
});

test('values that are not JSON numbers, and numbers at the limits of a double, arrive unchanged', async () => {
  const runId = await newRun();
  const values = [NaN, Infinity, -Infinity, 5e-324, 0.1 + 0.2, -0];
  const metrics = values.map((value, step) => ({ key: 'odd', value, step, timestampMs: 1 }));
  await logBatch(client, runId, { metrics });
  const byStep = (await metricHistory(client, runId, 'odd')).map(({ value }) => value);
  expect(byStep[0]).toBeNaN();
  // SQLite has no infinity: MLflow stores the largest double.
  expect(byStep.slice(1, 3).map((value) => Math.abs(value))).toEqual([Number.MAX_VALUE, Number.MAX_VALUE]);
  expect(byStep.slice(3, 5)).toEqual(values.slice(3, 5));
});

test('a batch that exceeds every limit of the server arrives completely', async () => {
  const runId = await newRun();
  const numbered = (prefix: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`${prefix}${i}`, String(i)]));
  const metrics = Array.from({ length: 2300 }, (_, step) => ({
    key: 'loss',
    value: step / 7,
    step,
    timestampMs: step,
  }));
  await logBatch(client, runId, { params: numbered('p'), tags: numbered('t'), metrics });
  const run = await getRun(client, runId);
  expect(run?.params).toEqual(numbered('p'));
  expect(run?.tags).toMatchObject(numbered('t'));
  expect(await metricHistory(client, runId, 'loss')).toEqual(metrics);
});

test('60 parallel writes all succeed', async () => {
  const runId = await newRun();
  const metrics = Array.from({ length: 60 }, (_, step) => ({ key: 'parallel', value: step, step, timestampMs: 1 }));
  await Promise.all(metrics.map((metric) => logBatch(client, runId, { metrics: [metric] })));
  expect(await metricHistory(client, runId, 'parallel')).toHaveLength(60);
});

test('a search returns the runs of all pages, or as many as the limit allows', async () => {
  const id = await createExperiment(client, 'pages');
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const [i, runName] of names.entries()) await createRun(client, { experimentId: id, runName, startTime: i });
  const search = { experimentIds: [id], orderBy: ['attributes.start_time ASC'] };
  expect((await searchRuns(client, search)).map(({ info }) => info.runName)).toEqual(names);
  expect((await searchRuns(client, { ...search, limit: 3 })).map(({ info }) => info.runName)).toEqual(['a', 'b', 'c']);
  expect(await searchRuns(client, { ...search, filter: "tags.`mlflow.runName` = 'd'" })).toHaveLength(1);
});

test('artifacts are stored byte for byte: large, small, empty, in folders, with unusual names, over an older one', async () => {
  const runId = await newRun();
  const file = join(folder, 'model.bin');
  const path = 'models/my model é+.bin';
  for (const content of [randomBytes(3_000_000), randomBytes(10), Buffer.alloc(0)]) {
    writeFileSync(file, content);
    await logArtifact(client, runId, path, { file });
    expect((await artifactBytes(client, runId, path)).equals(content)).toBe(true);
  }
  await logArtifact(client, runId, 'report.txt', { text: 'old' });
  await logArtifact(client, runId, 'report.txt', { text: 'schön\n' });
  expect((await artifactBytes(client, runId, 'report.txt')).toString()).toBe('schön\n');
  expect(await artifactPaths(client, runId)).toEqual(['models/', 'report.txt']);
  expect(await artifactPaths(client, runId, 'models')).toEqual([path]);
});

test('a missing local file and a path outside the run are refused at once', async () => {
  const runId = await newRun();
  const missing = logArtifact(client, runId, 'x', { file: join(folder, 'missing') });
  await expect(missing).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(logArtifact(client, runId, '../x', { text: '' })).rejects.toThrow('not a plain relative path');
});

test('artifacts of a server without uploads are written to its folder when it runs on this machine', () => {
  const local = { trackingUri: 'http://127.0.0.1:5000', isOwn: true };
  expect(artifactLocation('/data/1/artifacts', 'a/b.txt', local)).toEqual({
    through: 'folder',
    path: '/data/1/artifacts/a/b.txt',
  });
  expect(() =>
    artifactLocation('/data/1/artifacts', 'a', { trackingUri: 'http://mlflow.example:5000', isOwn: true }),
  ).toThrow('which this machine cannot write to');
  expect(() => artifactLocation('s3://bucket/1', 'a', local)).toThrow('which this machine cannot write to');
});

test('a server that the process does not call its own cannot choose a folder that artifacts are written to', () => {
  const named = { trackingUri: 'http://127.0.0.1:6000', isOwn: false };
  for (const place of ['/home/alice', 'file:///home/alice'])
    expect(() => artifactLocation(place, '.bashrc', named)).toThrow(
      'which this machine writes to only for its own server',
    );
  expect(artifactLocation('mlflow-artifacts://elsewhere:1/0/artifacts', 'a', named)).toEqual({
    through: 'server',
    path: '/api/2.0/mlflow-artifacts/artifacts/0/artifacts/a',
  });
});

test('a model is registered once per run and path', async () => {
  const runId = await newRun();
  await logArtifact(client, runId, 'model.nemo', { text: 'weights' });
  const registration = { name: "it's", runId, path: 'model.nemo' };
  expect(await registerModel(client, registration)).toBe('1');
  expect(await registerModel(client, registration)).toBe('1');
  expect(await registerModel(client, { ...registration, runId: await newRun() })).toBe('2');
  expect((await modelVersions(client, `name="it's"`)).sort()).toEqual(['1', '2']);
});

test('a deleted run is not found by a search, and its lifecycle stage is deleted', async () => {
  const runId = await newRun();
  const filter = `attributes.run_id = '${runId}'`;
  expect(await searchRuns(client, { experimentIds: [experimentId], filter })).toHaveLength(1);
  await deleteRun(client, runId);
  expect(await searchRuns(client, { experimentIds: [experimentId], filter })).toEqual([]);
  expect((await getRun(client, runId))?.info.lifecycleStage).toBe('deleted');
});

test('a tag is deleted, and deleting it again does nothing', async () => {
  const runId = await newRun();
  await logBatch(client, runId, { tags: { once: '1' } });
  await deleteTag(client, runId, 'once');
  await deleteTag(client, runId, 'once');
  expect((await getRun(client, runId))?.tags).not.toHaveProperty('once');
});

test('the error for a server that is not MLflow names the cause', async () => {
  const other = new MlflowClient({
    trackingUri: 'http://127.0.0.1:1',
    fetch: () => Promise.resolve(new Response('<html>', { status: 200 })),
  });
  await expect(getRun(other, '1')).rejects.toMatchObject({
    name: 'MlflowError',
    message: expect.stringContaining('the response to GET runs/get is not JSON'),
    hint: expect.stringContaining('MLFLOW_TRACKING_URI'),
  });
});
