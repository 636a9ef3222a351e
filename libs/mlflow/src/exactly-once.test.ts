import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { getExperimentByName } from './client/get-experiment-by-name.js';
import { getRun } from './client/get-run.js';
import type { Metric } from './client/metric.js';
import { MlflowClient } from './client/mlflow-client.js';
import type { Run } from './client/run.js';
import { searchRuns } from './client/search-runs.js';
import { syncJournal } from './journal/sync-journal.js';
import { MlflowServer } from './testing/mlflow-server.js';
import { artifactPaths, metricHistory } from './testing/read-server.js';
import { SlowProxy } from './testing/slow-proxy.js';
import { openTracker, type Tracker, type TrackerOptions } from './tracker.js';

let server: MlflowServer;
let client: MlflowClient;
const folder = mkdtempSync(join(tmpdir(), 'nautil-exactly-once-'));
let warnings: string[] = [];
let number = 0;
let proxy: SlowProxy | undefined;

beforeAll(async () => {
  server = await MlflowServer.start();
  client = new MlflowClient({ trackingUri: server.trackingUri });
}, 180_000);

beforeEach(() => {
  warnings = [];
  number++;
});

afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

const journal = (): string => join(folder, `run-${number}`, 'mlflow.jsonl');

const open = (o: Partial<TrackerOptions> = {}): Promise<Tracker> =>
  openTracker({
    client,
    experiment: `exactly once ${number}`,
    workflowId: `workflow ${number}`,
    runKey: 'first',
    journal: journal(),
    warn: (message) => warnings.push(message),
    ...o,
  });

const losses = (count: number): Metric[] =>
  Array.from({ length: count }, (_, i) => ({
    key: 'train/loss',
    value: 1 / (i + 1),
    step: i + 1,
    timestampMs: 5000 + i,
  }));

const rowsOf = (runId: string): Promise<Metric[]> => metricHistory(client, runId, 'train/loss');

/** Every run of an experiment that was not deleted. */
async function runsOf(experiment: string): Promise<Run[]> {
  const found = await getExperimentByName(client, experiment);
  return found ? searchRuns(client, { experimentIds: [found.experimentId] }) : [];
}

describe('killed with SIGKILL after the server has processed a request, before the position is written', () => {
  test.each([
    ['the creation of the experiment', 'experiments/create'],
    ['the creation of the run', 'runs/create'],
    ['a batch of metrics', 'runs/log-batch'],
    ['an artifact', 'PUT '],
    ['the end of the run', 'runs/update'],
  ])('%s', async (_, lastRequest) => {
    const program = fileURLToPath(new URL('./testing/log-and-die.ts', import.meta.url));
    const args = [journal(), server.trackingUri, `exactly once ${number}`, lastRequest];
    const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
    expect(signal).toBe('SIGKILL');

    const { runId, refusals } = await syncJournal(journal(), client);
    expect(refusals).toBe(0);
    const run = (await getRun(client, runId!))!;
    expect(run.info.status).toBe('FINISHED');
    expect(run.params).toEqual({ lr: '0.0001', epochs: '3' });
    expect(await rowsOf(runId!)).toEqual(losses(50));
    expect(await artifactPaths(client, runId!)).toEqual(['report.txt']);
    expect((await runsOf(`exactly once ${number}`)).map(({ info }) => info.runId)).toEqual([runId]);
    expect(await syncJournal(journal(), client)).toMatchObject({ runId, sentBytes: 0 });
  });
});

describe('a slow server', () => {
  test('gets at most two requests at a time, does not delay the logging, and receives everything once', async () => {
    proxy = await SlowProxy.start(server.trackingUri, 60);
    const slow = new MlflowClient({ trackingUri: proxy.address });
    const trackers = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => open({ client: slow, runKey: name, journal: `${journal()}.${name}` })),
    );
    const before = proxy.answered;
    for (const tracker of trackers) {
      for (const row of losses(400)) tracker.metrics([row]);
      tracker.text('report.txt', 'once');
    }
    expect(proxy.answered).toBe(before); // logging returned before any response
    const finished = await Promise.all(trackers.map((tracker) => tracker.finish('FINISHED')));
    await Promise.all(trackers.map((tracker) => tracker.close()));
    expect(finished).toEqual([true, true, true, true]);
    expect(proxy.mostAtOnce).toBe(2);
    for (const { runId } of trackers) expect(await rowsOf(runId!)).toEqual(losses(400));
    expect(await runsOf(`exactly once ${number}`)).toHaveLength(4);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['responds after the client has given up', { delayMs: 1500 }],
    ['closes the connection after it has processed the request', { hangUp: true }],
  ])('that %s has each record once, although requests are repeated', async (_, fate) => {
    proxy = await SlowProxy.start(server.trackingUri, 0);
    // Every tenth step, the server processes the next request but its response does not arrive.
    const impatient = new MlflowClient({ trackingUri: proxy.address, timeoutMs: 700, attempts: 1 });
    const tracker = await open({ client: impatient });
    await tracker.flush();
    tracker.params({ lr: 1 });
    for (const row of losses(30)) {
      if (row.step % 10 === 0) {
        proxy.next.push(fate);
        await tracker.flush({ timeoutMs: 5000 });
      }
      tracker.metrics([row]);
    }
    proxy.next.push(fate, {}, fate);
    tracker.text('report.txt', 'once');
    await tracker.finish('FINISHED');
    await tracker.close();

    await syncJournal(journal(), client);
    expect(await rowsOf(tracker.runId!)).toEqual(losses(30));
    const runs = await runsOf(`exactly once ${number}`);
    expect(runs.map(({ info }) => [info.runId, info.status])).toEqual([[tracker.runId, 'FINISHED']]);
    expect(warnings[0]).toContain(proxy.address);
  });

  test('whose response to the creation of a run is lost does not get a second run', async () => {
    proxy = await SlowProxy.start(server.trackingUri, 0);
    // Opening looks for the experiment and creates it, then looks for the run and creates it.
    const undisturbed = { hangUp: false };
    proxy.next.push(undisturbed, { hangUp: true }, undisturbed, undisturbed, { hangUp: true });
    const tracker = await open({ client: new MlflowClient({ trackingUri: proxy.address }) });
    expect(proxy.next).toEqual([]);
    tracker.metrics(losses(3));
    expect(await tracker.finish('FINISHED')).toBe(true);
    await tracker.close();
    expect((await runsOf(`exactly once ${number}`)).map(({ info }) => info.status)).toEqual(['FINISHED']);
    expect(await rowsOf(tracker.runId!)).toEqual(losses(3));
    expect(warnings).toEqual([]);
  });
});

test.each(['FAILED', 'KILLED'] as const)('a run that ended as %s has the reason as its description', async (status) => {
  const tracker = await open();
  tracker.metrics(losses(1));
  await tracker.finish(status, 'the loss is NaN at step 1\nlines 3, 7 and 9 of train.tsv');
  await tracker.close();
  const run = (await getRun(client, tracker.runId!))!;
  expect(run.info.status).toBe(status);
  expect(run.info.endTime).toBeGreaterThan(0);
  expect(run.tags['mlflow.note.content']).toBe('the loss is NaN at step 1\nlines 3, 7 and 9 of train.tsv');
});

test('the runs of the trials of a sweep are children of its own run', async () => {
  const parent = await open({ runKey: 'sweep' });
  const children = await Promise.all(
    [1, 2].map((n) => open({ workflowId: `child ${n}`, parentRunId: parent.runId, journal: `${journal()}.${n}` })),
  );
  for (const run of [...children, parent]) {
    await run.finish('FINISHED');
    await run.close();
  }
  const found = await searchRuns(client, {
    experimentIds: [(await getRun(client, parent.runId!))!.info.experimentId],
    filter: `tags.mlflow.parentRunId = '${parent.runId}'`,
  });
  expect(found.map(({ info }) => info.runId).sort()).toEqual(children.map(({ runId }) => runId).sort());
});
