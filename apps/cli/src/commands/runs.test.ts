import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  getExperimentByName,
  type JournalSummary,
  MlflowClient,
  openTracker,
  searchRuns,
  type SyncedJournal,
} from '@nautil/mlflow';
import { deleteExperiment, metricHistory } from '@nautil/mlflow/testing/read-server';
import { type ServerHandle, startMlflowServer } from '@nautil/stack';
import { packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';

const home = mkdtempSync(join(tmpdir(), 'nautil-runs-'));
let server: ServerHandle | undefined;
let down: string;

beforeAll(async () => {
  down = `http://127.0.0.1:${await freePort()}`;
  await track('first', 3, 'FINISHED');
  await track('second', 5, 'KILLED');
  // Other files in a run's folder are not journals.
  mkdirSync(join(home, 'runs/first/training'));
  writeFileSync(join(home, 'runs/first/training/events.jsonl'), '{"type":"step"}\n');
});

afterAll(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** Records a run while the server is down. */
async function track(name: string, steps: number, status: 'FINISHED' | 'KILLED'): Promise<void> {
  const tracker = await openTracker({
    trackingUri: down,
    experiment: 'runs',
    workflowId: name,
    runKey: '1',
    journal: join(home, 'runs', name, 'mlflow.jsonl'),
    warn: () => undefined,
    connectTimeoutMs: 0,
  });
  for (let step = 1; step <= steps; step++) {
    tracker.metrics([{ key: 'train/loss', value: 1 / step, step, timestampMs: step }]);
  }
  await tracker.finish(status, undefined, { timeoutMs: 0 });
  await tracker.close();
}

interface Run {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs the program itself, as a user would. */
function nautil(trackingUri: string, ...args: string[]): Promise<Run> {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const env = { ...process.env, NODE_OPTIONS: '', NAUTIL_HOME: home, MLFLOW_TRACKING_URI: trackingUri };
  return new Promise((done) =>
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) =>
      done({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
}

test('nautil runs list shows how each run ended and what was not sent', async () => {
  const { stdout, exitCode } = await nautil(down, 'runs', 'list');
  expect(stdout).toMatch(/^second +cancelled .* 7 of 7\nfirst +finished .* 5 of 5$/m);
  expect(exitCode).toBe(0);
});

test('with --dry-run nothing is sent, and no server is needed', async () => {
  const { stdout, exitCode } = await nautil(down, 'runs', 'sync', '--dry-run', '--json');
  const waiting = JSON.parse(stdout) as JournalSummary[];
  expect(waiting.map(({ runName, status, unsent }) => [runName, status, unsent])).toEqual([
    ['first', 'FINISHED', 5],
    ['second', 'KILLED', 7],
  ]);
  expect(exitCode).toBe(0);
});

test('without a journal in the searched folders, they are named, and no server is needed', async () => {
  const elsewhere = join(home, 'nothing here');
  const { stdout, exitCode } = await nautil(down, 'runs', 'sync', elsewhere);
  expect(stdout).toBe(`nothing to send: no run in ${elsewhere} has a journal\n`);
  expect(exitCode).toBe(0);
});

test('a server that is down is reported with its address and a hint, and exit code 4', async () => {
  const { stderr, stdout, exitCode } = await nautil(down, 'runs', 'sync');
  expect(stderr).toContain(down);
  expect(stderr).toContain('nautil up');
  expect(stderr).toContain('2 of 2 runs not sent');
  expect(stdout).toBe('');
  expect(exitCode).toBe(4);
});

test('once the server is there everything is sent, once', async () => {
  server = await startMlflowServer({ folder: join(home, 'mlflow') });
  const only = await nautil(server.address, 'runs', 'sync', join(home, 'runs/second'));
  expect(only.stdout).toMatch(/^second: 7 records sent {2}http/);
  const { stdout, exitCode } = await nautil(down, 'runs', 'sync', '--tracking-uri', server.address, '--json');
  expect(exitCode).toBe(0);
  const sent = JSON.parse(stdout) as (JournalSummary & SyncedJournal)[];
  expect(sent.map(({ runName, refusals }) => [runName, refusals])).toEqual([['first', 0]]);

  const again = await nautil(server.address, 'runs', 'sync');
  expect(again.stdout).toBe('nothing to send: MLflow has all records of 2 runs\n');

  const client = new MlflowClient({ trackingUri: server.address });
  const { experimentId } = (await getExperimentByName(client, 'runs'))!;
  const runs = await searchRuns(client, { experimentIds: [experimentId], orderBy: ['attributes.run_name ASC'] });
  expect(runs.map(({ info }) => [info.runName, info.status])).toEqual([
    ['first', 'FINISHED'],
    ['second', 'KILLED'],
  ]);
  for (const [i, steps] of [3, 5].entries()) {
    const rows = await metricHistory(client, runs[i]!.info.runId, 'train/loss');
    expect(rows.map(({ step }) => step).sort()).toEqual(Array.from({ length: steps }, (_, at) => at + 1));
  }
}, 120_000);

test('a deleted experiment blocks only its own run, and the exit code is 4 because records are left', async () => {
  const client = new MlflowClient({ trackingUri: server!.address });
  const { experimentId } = (await getExperimentByName(client, 'runs'))!;
  await deleteExperiment(client, experimentId);
  await track('third', 1, 'FINISHED');
  const { stdout, stderr, exitCode } = await nautil(server!.address, 'runs', 'sync');
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^third: the experiment runs was deleted in MLflow\n {2}restore it/);
  expect(exitCode).toBe(4);
});
