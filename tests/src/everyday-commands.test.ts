import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Progress } from '@nautil/contracts';
import { nautilHome, packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { type CommandResult, nautil } from './testing/drill.js';
import { LocalStack, tinyRun, until } from './testing/local-stack.js';

// The commands that act on a run, with a real server, a real worker and a real (tiny) BERT.

let stack: LocalStack;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: false });
}, 240_000);
afterAll(() => stack.stop());

const stackTrace = /^ +at /m;
const command = (...args: string[]): Promise<CommandResult> => nautil(stack, args);

/** Starts a run that trains for long. */
async function startRun(workflowId: string, ...overrides: string[]): Promise<void> {
  const archive = `model.nemo_path="${join(stack.home, workflowId)}.nemo"`;
  const { exitCode, stderr } = await command(
    ...['run', '--detach', '--workflow-id', workflowId, ...tinyRun, archive, 'trainer.max_epochs=500', ...overrides],
  );
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
}

async function progressOf(workflowId: string): Promise<Progress> {
  return JSON.parse((await command('progress', workflowId, '--json')).stdout) as Progress;
}

const stateOf = async (workflowId: string): Promise<string> =>
  (await stack.client.workflow.getHandle(workflowId).describe()).status.name;

const trains = (workflowId: string) => async (): Promise<boolean> =>
  (await progressOf(workflowId)).stages.some(({ stage, state }) => stage === 'train' && state === 'running');

test('without a worker, a command states what to start', async () => {
  await startRun('waiting');
  for (const name of ['pause', 'progress']) {
    const { exitCode, stderr } = await command(name, 'waiting');
    expect(stderr).toContain('on the task queue nautil');
    expect(stderr).toContain('`npx nautil up` starts a worker');
    expect(stderr).not.toMatch(stackTrace);
    expect(exitCode).toBe(4);
  }
  expect((await command('cancel', 'waiting')).exitCode).toBe(0);
}, 120_000);

test('without a server, every command states how to start one', async () => {
  const variables = { NAUTIL_TEMPORAL_ADDRESS: '127.0.0.1:9' };
  for (const name of ['pause', 'cancel', 'progress']) {
    const { exitCode, stderr } = await nautil(stack, [name, 'waiting'], variables);
    expect(stderr).toMatch(/^no Temporal server answers at 127\.0\.0\.1:9/);
    expect(stderr).toContain('`npx nautil up` starts one here');
    expect(exitCode).toBe(4);
  }
}, 120_000);

test('a run is paused, continued and stopped, and packages what it has', async () => {
  await stack.startWorker();
  const id = "anna's run"; // quoted in every hint
  await startRun(id);
  await until(trains(id));
  const paused = await command('pause', id);
  expect(paused.stdout).toContain('training writes a checkpoint and pauses');
  expect(paused.stdout).toContain(String.raw`npx nautil continue 'anna'\''s run'`);
  await until(async () => (await progressOf(id)).stages.some(({ state }) => state === 'paused'));
  expect((await command('progress', id)).stdout).toMatch(/^anna's run: paused$/m);
  expect(await command('pause', id)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('already paused') });

  expect((await command('continue', id)).stdout).toContain('the run continues');
  expect(await command('continue', id)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('not paused') });
  await until(trains(id));
  expect((await command('stop', id)).stdout).toContain('evaluated and packaged');
  await until(async () => (await stateOf(id)) === 'COMPLETED');

  const { stdout } = await command('progress', id);
  expect(stdout).toMatch(/^✓ package {3}.*anna's run\.nemo(?:;|$)/m);
  const after = await command('stop', id);
  expect(after).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('has ended: it is completed') });
}, 240_000);

test('a cancelled run writes a checkpoint, and can be resumed', async () => {
  await startRun('cancelled', 'model.optim.lr=1e-4');
  await until(trains('cancelled'));
  const { stdout, exitCode } = await command('cancel', 'cancelled');
  expect(stdout).toContain('`npx nautil resume cancelled` then continues it');
  expect(exitCode).toBe(0);
  await until(async () => (await stateOf('cancelled')) === 'CANCELLED');
  expect((await command('cancel', 'cancelled')).stderr).toContain('`npx nautil resume cancelled` continues it');
}, 240_000);

test('an unknown run is an error that names similar ones', async () => {
  for (const name of ['cancel', 'resume']) {
    const { exitCode, stderr } = await command(name, 'canceled');
    expect(stderr).toMatch(/^there is no run or sweep canceled at .*\n {2}did you mean cancelled\?/);
    expect(exitCode).toBe(2);
  }
}, 60_000);

test('the log of a run is printed, and followed until the run ends', async () => {
  const { stdout } = await command('logs', 'cancelled');
  expect(stdout).toContain('Config Params');
  await startRun('followed', 'trainer.max_epochs=2', 'model.optim.lr=2e-4');
  await until(async () => (await command('logs', 'followed')).exitCode === 0);
  const { stdout: log, exitCode } = await command('logs', 'followed', '-f');
  expect(exitCode).toBe(0);
  expect(log.match(/val_report: /g)).toHaveLength(2);
  expect(log).toContain('Model is saved into `.nemo` file');
}, 240_000);

test('a run that fails is reported once, and its stage is marked', async () => {
  const { stdout, stderr, exitCode } = await command(
    ...['run', '--workflow-id', 'failing', ...tinyRun, 'model.optim.lr=1e30', 'model.nemo_path=null'],
  );
  expect(exitCode).toBe(5);
  const [, message = ''] = /^train: failed\n(.+)$/m.exec(stderr) ?? [];
  expect(message).toContain('loss');
  expect(`${stdout}${stderr}`.split(message)).toHaveLength(2);
  expect(stderr).not.toMatch(stackTrace);
}, 120_000);

test('`temporal` reaches the server without options, and returns the exit code of its program', async () => {
  await symlink(join(nautilHome(), 'python'), join(stack.home, 'python')); // as the set-up leaves it
  await startRun('listed', 'model.optim.lr=1e-5');
  const { stdout, exitCode } = await command('temporal', 'workflow', 'describe', '--workflow-id', 'listed');
  expect(exitCode).toBe(0);
  expect(stdout).toContain('textClassification');
  await command('cancel', 'listed');
  expect((await command('temporal', 'workflow', 'describe', '--workflow-id', 'nobody')).exitCode).toBe(1);
  expect((await command('temporal', '--version')).stdout).toMatch(/^temporal version/);
}, 60_000);

test('a follower prints NeMo’s table for each epoch, and no line twice', async () => {
  const args = ['run', '--workflow-id', 'shown', ...tinyRun, 'trainer.max_epochs=3', 'model.nemo_path=null'];
  const { stdout, stderr, exitCode } = await command(...args, 'model.optim.lr=3e-4');
  expect(exitCode).toBe(0);
  expect(stderr.match(/val_report: /g)).toHaveLength(3);
  const news = stderr.split('\n').filter((line) => /^(?:epoch \d+ {2}step|\w+ …|\w+: |note: )/.test(line));
  expect(new Set(news).size).toBe(news.length);
  const [tryIt, look, goOn] = stdout.trimEnd().split('\n').slice(-3);
  expect(tryIt).toMatch(/^try it {4}echo '.*' \| npx nautil predict --model \S+ --input -$/);
  expect(look).toBe('look      npx nautil runs show shown');
  // The run has freed the state of its optimizer, so that its training cannot be continued, but repeated.
  expect(goOn).toBe('go on     npx nautil resume shown trainer.max_epochs=6');

  const next = await nautil(stack, [...wordsOf(goOn!.slice(10)).slice(2)]);
  expect(next.exitCode).toBe(0);
  expect(next.stderr.match(/val_report: /g)).toHaveLength(6);
}, 240_000);

test('`new` writes a configuration, and the command that it prints trains with it', async () => {
  const folder = join(stack.home, "anna's $(work)");
  await mkdir(folder);
  const rows = Array.from(
    { length: 40 },
    (_, i) => `"${['a good film', 'a bad film'][i % 2]} ${i}",${['good', 'bad'][i % 2]}\n`,
  );
  await writeFile(join(folder, '-reviews.csv'), `text,label\n${rows.join('')}`);
  const given = ["anna's `reviews`", '--data', '-reviews.csv', '--encoder', goldenPath('bert-tiny-uncased')];
  const { stdout, stderr, exitCode } = await nautil(stack, ['new', ...given], { INIT_CWD: folder });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  const [, pasted = ''] = /^train it {2}(npx nautil run .*)$/m.exec(stdout) ?? [];
  const run = await inShell(pasted, folder);
  expect(run).toMatchObject({ exitCode: 0 });
  expect(run.stdout).toMatch(/^model {5}.*\.nemo$/m);
  expect(run.stdout).toContain('those of the best validation');
}, 240_000);

/** Runs a command in a shell as if it were pasted; npx runs the command of the checkout. */
const inShell = (line: string, folder: string): Promise<CommandResult> =>
  new Promise((resolve) => {
    const npx = `npx() { shift; '${process.execPath}' '${join(packageRoot(), 'apps/cli/bin/nautil.mjs')}' "$@"; }`;
    const places = { NAUTIL_HOME: stack.home, NAUTIL_TEMPORAL_ADDRESS: stack.temporalAddress, INIT_CWD: folder };
    const env = { ...process.env, NODE_OPTIONS: '', MLFLOW_TRACKING_URI: stack.mlflowUri, ...places };
    execFile('bash', ['-c', `${npx}\n${line}`], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

/** Splits a command as a shell does. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''));
