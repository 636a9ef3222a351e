import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { nautilHome, packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';
import { goldenPath } from '@nautil/testing';

// The package that `npm run build` makes, installed from its tarball into an empty folder with ordinary npm. Its state folder
// links to the Python environment, the TensorFlow library and the weights of this checkout.

interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

let folder: string;
let env: NodeJS.ProcessEnv;

function run(command: string, args: string[], o: { cwd?: string; input?: string } = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { cwd: folder, env, maxBuffer: 1 << 26, ...o }, (error, stdout, stderr) => {
      resolve({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
    child.stdin?.end(o.input);
  });
}

const nautil = (args: string[], input?: string): Promise<Ended> =>
  run('npx', ['--no-install', 'nautil', ...args], input === undefined ? {} : { input });

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'nautil-packed-')));
  const home = join(folder, 'state');
  await mkdir(home);
  for (const part of ['models', 'python', 'tensorflow']) await symlink(join(nautilHome(), part), join(home, part));
  env = { ...process.env, NODE_OPTIONS: '', INIT_CWD: undefined, NAUTIL_HOME: home };
  for (const server of ['TEMPORAL', 'TEMPORAL_UI', 'MLFLOW']) env[`NAUTIL_${server}_PORT`] = String(await freePort());

  const target = join(folder, 'dist');
  const built = await run(process.execPath, ['tools/build.mjs', '--out', target], { cwd: packageRoot() });
  expect(built).toMatchObject({ exitCode: 0 });
  const tarball = readdirSync(target).find((name) => name.endsWith('.tgz')) ?? 'no tarball';
  await mkdir(join(folder, 'project'));
  folder = join(folder, 'project');
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const installed = await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(target, tarball)]);
  expect(installed).toMatchObject({ exitCode: 0 });
}, 180_000);

afterAll(async () => {
  await nautil(['down']);
  await rm(join(folder, '..'), { recursive: true, force: true, maxRetries: 5 });
}, 60_000);

test('the package has neither tsx nor tfjs-node, and every file that it starts', () => {
  expect(existsSync(join(folder, 'node_modules/tsx'))).toBe(false);
  expect(existsSync(join(folder, 'node_modules/@tensorflow'))).toBe(false);
  expect(existsSync(join(folder, 'node_modules/onnxruntime-node'))).toBe(false);
  const files = readdirSync(join(folder, 'node_modules/nautil-ft/lib'));
  expect(files).toEqual(
    expect.arrayContaining([
      'onnxruntime-node.cjs',
      'parquet-worker.mjs',
      'print-tensorflow.mjs',
      'tfjs-node.cjs',
      'tokenize-worker.mjs',
      'traced-workflow-bundle.js',
      'trainer-child.mjs',
      'ui-gate-process.mjs',
      'workflow-bundle.js',
    ]),
  );
});

test('doctor finds no problem, and names the command as it is installed', async () => {
  const { exitCode, stdout } = await nautil(['doctor']);
  expect(stdout).not.toContain('✗');
  expect(stdout).toContain('`nautil up` starts one');
  expect(exitCode).toBe(0);
});

test('setup finds everything installed', async () => {
  const { exitCode, stderr } = await nautil(['setup']);
  expect(stderr).toMatch(/TensorFlow library: ready/);
  expect(stderr).not.toContain('npm packages');
  expect(exitCode).toBe(0);
});

test('predict classifies with an archive of NeMo', async () => {
  const archive = goldenPath('nemo/tiny_bert.nemo');
  const args = ['predict', '--model', archive, '--engine', 'onnxruntime', '--input', '-'];
  const { exitCode, stdout } = await nautil(args, 'one text\nanother\n');
  expect(stdout).toMatch(/^one text\t\d\nanother\t\d\n$/);
  expect(exitCode).toBe(0);
});

test('its worker trains a run end to end, with the samples of the package', async () => {
  const up = await nautil(['up']);
  expect(up).toMatchObject({ exitCode: 0 });
  const few = ['trainer.max_steps=2', 'trainer.limit_val_batches=1', 'trainer.limit_test_batches=1'];
  const trained = await nautil(['run', '--config-name', 'sst2', 'model.train_ds.num_samples=64', '--json', ...few]);
  expect(trained).toMatchObject({ exitCode: 0 });
  const result = JSON.parse(trained.stdout) as { nemo: { path: string } };
  expect(result.nemo.path).toBe(join(folder, 'models/sst2.nemo'));
  const verified = await nautil(['verify', result.nemo.path]);
  expect(verified.stdout).toContain('is sound');
  const { gitHead } = JSON.parse(readFileSync(join(folder, 'node_modules/nautil-ft/package.json'), 'utf8')) as {
    gitHead: string;
  };
  expect(gitHead).toMatch(/^[0-9a-f]{40}$/);
}, 180_000);
