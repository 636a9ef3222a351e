import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { openTracker } from '@nautil/mlflow';
import { type ServerHandle, startTemporalServer } from '@nautil/stack';
import { Store } from '@nautil/store';
import { packageRoot } from '@nautil/store/folders';
import { type CollectedGarbage, type StoredKind } from '@nautil/store/garbage';

const home = mkdtempSync(join(tmpdir(), 'nautil-gc-'));
const store = new Store(join(home, 'store'));
let temporal: ServerHandle;
let client: Client;

beforeAll(async () => {
  temporal = await startTemporalServer({ folder: join(home, 'temporal') });
  client = new Client({ connection: await Connection.connect({ address: temporal.address }) });
});
afterAll(async () => {
  await client.connection.close();
  await temporal.stop();
  rmSync(home, { recursive: true, force: true });
});

const old = new Date(Date.now() - 40 * 24 * 3600 * 1000);

function run(workflowId: string): string {
  const folder = join(home, 'runs', workflowId);
  mkdirSync(folder, { recursive: true });
  const files = { 'run.json': JSON.stringify({ workflowId }), 'last.safetensors': 'weights' };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content);
    utimesSync(join(folder, name), old, old);
  }
  return folder;
}

/** Runs the program itself, as a user would. */
function nautil(address: string, ...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const env = { ...process.env, NODE_OPTIONS: '', NAUTIL_HOME: home, NAUTIL_TEMPORAL_ADDRESS: address };
  return new Promise((done) =>
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) =>
      done({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
}

test('gc removes old runs, except those with an open workflow or an unsent journal', async () => {
  const [ended, open, unsent] = [run('ended'), run('open'), run('unsent')];
  await client.workflow.start('anything', { workflowId: 'open', taskQueue: 'nobody', args: [] });
  const tracker = await openTracker({
    trackingUri: 'http://127.0.0.1:9',
    experiment: 'gc',
    workflowId: 'unsent',
    runKey: '1',
    journal: join(unsent, 'mlflow.jsonl'),
    warn: () => undefined,
    connectTimeoutMs: 0,
  });
  tracker.metrics([{ key: 'loss', value: 1, step: 1, timestampMs: 1 }]);
  await tracker.finish('FINISHED', undefined, { timeoutMs: 0 });
  await tracker.close();
  for (const name of ['mlflow.jsonl', 'mlflow.jsonl.sent'])
    if (existsSync(join(unsent, name))) utimesSync(join(unsent, name), old, old);
  const object = await store.put(Buffer.from('bytes'));
  utimesSync(object.path, new Date(0), new Date(0));

  const dry = await nautil(temporal.address, 'store', 'gc', '--dry-run');
  expect(dry.stdout).toMatch(/runs .*ended\n2 items, .* would be removed\n$/);
  expect(existsSync(join(ended, 'run.json')) && existsSync(object.path)).toBe(true);

  const { stdout, exitCode } = await nautil(temporal.address, 'store', 'gc', '--json');
  const { removed, kept } = JSON.parse(stdout) as CollectedGarbage;
  expect(exitCode).toBe(0);
  expect(removed.map(({ path }) => path)).toEqual([object.path, ended]);
  expect(existsSync(ended) || existsSync(object.path)).toBe(false);
  expect(kept.map(({ path }) => path).sort()).toEqual([open, unsent].sort());
  expect(kept.map(({ why }) => why).join()).toMatch(/workflow open is open/);
  expect(kept.map(({ why }) => why).join()).toMatch(/records have not been sent.*runs sync/);
});

test('without Temporal the folders of all runs are kept, with a warning', async () => {
  const folder = run('another');
  const { stderr, exitCode } = await nautil('127.0.0.1:9', 'store', 'gc');
  expect(stderr).toContain('the folders of all runs are kept');
  const dayBefore = new Date(old.getTime() - 24 * 3600 * 1000).toISOString().slice(0, 10);
  expect(stderr).toContain(`kept everything used since ${dayBefore}, a day before the oldest run that is kept began`);
  expect(existsSync(join(folder, 'run.json'))).toBe(true);
  expect(exitCode).toBe(0);
});

test('gc by size keeps a run that failed, because it can be resumed, and removes one that has finished', async () => {
  const folders = [run('failed'), run('finished')] as const;
  for (const [folder, status] of [
    [folders[0], 'FAILED'],
    [folders[1], 'FINISHED'],
  ] as const) {
    const journal = join(folder, 'mlflow.jsonl');
    const tracker = await openTracker({
      ...{ trackingUri: 'http://127.0.0.1:9', experiment: 'gc', workflowId: status, runKey: '1', journal },
      ...{ warn: () => undefined, connectTimeoutMs: 0 },
    });
    await tracker.finish(status, undefined, { timeoutMs: 0 });
    await tracker.close();
    const content = readFileSync(journal, 'utf8');
    const { id: journalId } = JSON.parse(content.split('\n')[0]!) as { id: string };
    writeFileSync(`${journal}.sent`, JSON.stringify({ journalId, offset: Buffer.byteLength(content) })); // MLflow has all of it
  }
  const { stdout, stderr } = await nautil(temporal.address, 'store', 'gc', '--keep', '1kB', '--json');
  const { removed, kept } = JSON.parse(stdout) as CollectedGarbage;
  expect(stderr).toBe('');
  expect(kept).toContainEqual({ path: folders[0], why: 'it has not finished, and can be resumed' });
  expect(removed.map(({ path }) => path)).toContain(folders[1]);
  expect(existsSync(join(folders[0], 'run.json'))).toBe(true);
  expect(existsSync(folders[1])).toBe(false);
});

test('a size without a unit is rejected', async () => {
  const { stderr, exitCode } = await nautil(temporal.address, 'store', 'gc', '--keep', '20');
  expect(stderr).toContain('20GB, 500MB');
  expect(exitCode).toBe(2);
});

test('an age without a number is rejected', async () => {
  const { stderr, exitCode } = await nautil(temporal.address, 'store', 'gc', '--older-than', 'soon');
  expect(stderr).toContain('30d, 12h');
  expect(exitCode).toBe(2);
});

test('nautil store shows what takes disk space', async () => {
  await store.put(Buffer.alloc(5_000), 'named');
  const { stdout } = await nautil(temporal.address, 'store', '--json');
  const kinds = JSON.parse(stdout) as StoredKind[];
  expect(kinds.find(({ kind }) => kind === 'objects')).toMatchObject({ sizeBytes: 5_000, collectable: true });
  expect((await nautil(temporal.address, 'store')).stdout).toMatch(/5\.0 kB {2}objects/);
});
