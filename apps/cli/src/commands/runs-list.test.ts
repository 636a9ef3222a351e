import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openTracker, packagedStepTag } from '@nautil/mlflow';
import { packageRoot } from '@nautil/store/folders';

// The lists of runs are read from the journals of the state folder. No server runs in this file.

const home = mkdtempSync(join(tmpdir(), 'nautil-runs-list-'));
const down = 'http://127.0.0.1:9'; // nothing listens on this port (discard)

beforeAll(async () => {
  await track('first', 'FINISHED', { lr: 0.1, f1: 0.5, loss: 0.3 });
  await track('first', 'FINISHED', { lr: 0.01, f1: 0.875, loss: 0.4, later: 0.25, runKey: '2' });
  await track('second', 'KILLED', { f1: 0.99, loss: 0.1 });
});
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

/** Records a run as training does. */
async function track(
  name: string,
  status: 'FINISHED' | 'KILLED',
  { lr = 1, f1, loss, later, runKey = '1' }: { lr?: number; f1: number; loss: number; later?: number; runKey?: string },
): Promise<void> {
  const tracker = await openTracker({
    trackingUri: down,
    experiment: 'runs',
    workflowId: name,
    runKey,
    tags: { 'nautil.model': 'minilm', 'nautil.dataset': 'reviews.tsv' },
    journal: join(home, 'runs', `${name}-${runKey}`, 'mlflow.jsonl'),
    warn: () => undefined,
    connectTimeoutMs: 0,
  });
  const archive = `/home/${'folder/'.repeat(20)}${name}-${runKey}.nemo`;
  tracker.params({ 'model.optim.lr': lr, 'trainer.max_epochs': 3, 'model.nemo_path': archive });
  const evaluation = (step: number, scores: Record<string, number>): void => {
    const rows = Object.entries({ 'train/loss': 1, 'val/class/a/f1': 1, ...scores });
    tracker.metrics(rows.map(([key, value]) => ({ key, value, step, timestampMs: 1 })));
  };
  evaluation(1, { 'val/f1_macro': f1, 'val/loss': loss });
  if (later !== undefined) {
    // Further epochs, after which the weights of the first are packaged.
    evaluation(2, { 'val/f1_macro': later, 'val/loss': 1 - later });
    tracker.tags({
      [packagedStepTag]: '1',
      'nautil.findings': 'chance-loss',
      'mlflow.note.content': 'Scores of …\n\n- the model did not learn: try model.optim.lr=1e-4',
    });
  }
  await tracker.finish(status, status === 'KILLED' ? 'stopped by a test' : undefined, { timeoutMs: 0 });
  await tracker.close();
}

/** Runs the program itself, as a user would. */
function nautil(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const env = { ...process.env, NODE_OPTIONS: '', NAUTIL_HOME: home, MLFLOW_TRACKING_URI: down };
  return new Promise((done) =>
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) =>
      done({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
}

test('nautil runs lists the newest run first, with how it ended and what was not sent, and needs no server', async () => {
  const { stdout, stderr, exitCode } = await nautil('runs');
  const [titles, ...rows] = stdout.trimEnd().split('\n');
  expect(titles).toMatch(/^run +state +test F1 % +val F1 % +model +data +duration +started +unsent$/);
  expect(rows.map((row) => row.replace(/\d{4}-.*:\d\d/, 'TIME').split(/ {2,}/))).toEqual([
    ['second', 'cancelled', '99.00', 'minilm', 'reviews.tsv', '0 s', 'TIME', '4 of 4'],
    ['first', 'finished', '87.50', 'minilm', 'reviews.tsv', '0 s', 'TIME', '6 of 6'],
    ['first@1', 'finished', '50.00', 'minilm', 'reviews.tsv', '0 s', 'TIME', '4 of 4'],
  ]);
  expect(stderr).toBe('3 runs have unsent records: `npx nautil runs sync` sends them\n');
  expect(exitCode).toBe(0);
});

test('the best run of each data set has the best value of the metric; one that was cancelled is left out', async () => {
  const best = async (...metric: string[]): Promise<string[]> => {
    const { stdout } = await nautil('runs', 'best', '--json', ...metric);
    return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id);
  };
  expect(await best()).toEqual(['first']);
  expect(await best('--metric', 'val/loss')).toEqual(['first@1']);
  expect((await nautil('runs', 'best', '--metric', 'test/loss')).stdout).toBe(
    'no finished run of this machine has test/loss\n',
  );
});

test('a comparison has what differs, and the scores', async () => {
  const { stdout } = await nautil('runs', 'compare', 'first', 'first@1');
  expect(stdout).toMatch(/^model\.optim\.lr +0\.01 +0\.1$/m);
  expect(stdout).toMatch(/^val\/f1_macro +0\.8750 +0\.5000$/m);
  expect(stdout).toMatch(/^packaged step +1 +newest$/m);
  expect(stdout).not.toContain('trainer.max_epochs');
  expect((await nautil('runs', 'compare', 'first')).exitCode).toBe(2);
});

test('a comparison fits the width of COLUMNS, and of long paths has the end', async () => {
  process.env['COLUMNS'] = '80';
  const { stdout } = await nautil('runs', 'compare', 'first', 'first@1', 'second');
  delete process.env['COLUMNS'];
  expect(stdout).toMatch(/^model\.nemo_path +…\S*first-2\.nemo +…\S*first-1\.nemo +…\S*second-1\.nemo$/m);
  expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

test('a run is shown with its settings, also an older one of the same name', async () => {
  const { stdout } = await nautil('runs', 'show', 'first@1', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ id: 'first@1', params: { 'model.optim.lr': '0.1' }, status: 'FINISHED' });
  expect((await nautil('runs', 'show', 'second')).stdout).toMatch(/^ {2}state +cancelled: stopped by a test$/m);
});

test('the scores of a finished run are those of its packaged weights, even if later epochs were worse', async () => {
  const { stdout } = await nautil('runs', 'show', 'first');
  expect(stdout).toMatch(/^scores of the packaged weights \(step 1\)$/m);
  expect(stdout).toMatch(/^ {2}problem +the model did not learn: try model\.optim\.lr=1e-4$/m);
  expect(stdout).toMatch(/^loss +0\.4000$/m);
  expect(stdout).toMatch(/^f1_macro +0\.8750$/m);
  expect((await nautil('runs', 'show', 'second')).stdout).toMatch(/^newest scores$/m);
});

test('an unknown run is an error that names similar ones', async () => {
  for (const command of [['runs', 'show'], ['logs']]) {
    const { stderr, exitCode } = await nautil(...command, 'firs');
    expect(stderr).toMatch(/^no run firs has a folder in .*\n {2}did you mean first(?: and first@1)?\?/);
    expect(exitCode).toBe(2);
  }
});
