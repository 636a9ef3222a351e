import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { nautilHome, packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';
import { testIf } from '@nautil/testing';
import { tinyRun } from './testing/local-stack.js';
import { programEnvironment } from './testing/program-environment.js';

// Another user of the machine, nobody, looks for what a real run with real servers has left. The umask hides nothing: it is 000.
// An older version has created the state folder.

/** A test in which nobody acts. Elsewhere than in a container, where tests run as root, only modes are compared. */
const testAsNobody = (name: string, check: () => Promise<void>): void =>
  testIf(process.getuid?.() === 0, 'only root may act as another user', name, check);

interface Ended {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

const env: NodeJS.ProcessEnv = {};
let folder: string;
let home: string;
let output: string;
let firstCommand: Ended;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nautil-other-user-'));
  await chmod(folder, 0o755); // so that nothing but the state folder itself keeps others out
  home = join(folder, 'state');
  output = join(folder, 'nemo_experiments');
  Object.assign(env, process.env, programEnvironment(home));
  for (const server of ['TEMPORAL', 'TEMPORAL_UI', 'MLFLOW']) env[`NAUTIL_${server}_PORT`] = String(await freePort());
  await mkdir(join(home, 'runs', 'old'), { recursive: true });
  for (const part of ['models', 'python']) await symlink(join(nautilHome(), part), join(home, part));
  for (const file of ['stack.json', 'runs/old/run.json']) await writeFile(join(home, file), '{}');
  for (const open of ['', 'runs', 'runs/old']) await chmod(join(home, open), 0o755);

  firstCommand = nautil('store', 'gc', '--dry-run');
  expect(nautil('up')).toMatchObject({ exitCode: 0 });
  const names = [`exp_manager.exp_dir=${output}`, `model.nemo_path=${join(folder, 'model.nemo')}`];
  const more = ['trainer.max_epochs=1', 'exp_manager.create_checkpoint_callback=true', ...names];
  expect(nautil('run', ...tinyRun, ...more)).toMatchObject({ exitCode: 0 });
}, 300_000);

afterAll(async () => {
  nautil('down');
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}, 60_000);

/** The worker may write to the folder around the state folder, in which `up` runs. */
function nautil(...args: string[]): Ended {
  const program = [process.execPath, join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args];
  return run('/bin/sh', ['-c', 'umask 000; exec "$@"', 'sh', ...program], { env: { ...env, NAUTIL_OUTPUTS: folder } });
}

const asNobody = (command: string, ...args: string[]): Ended => run(command, args, { uid: 65_534, gid: 65_534 });

function run(command: string, args: string[], o: { env?: NodeJS.ProcessEnv; uid?: number; gid?: number }): Ended {
  const { status, stdout, stderr } = spawnSync(command, args, { ...o, cwd: folder, encoding: 'utf8' });
  return { exitCode: status, stdout, stderr };
}

/** Everything below a folder that links do not lead to, as paths relative to it, with the mode. */
async function modesBelow(top: string): Promise<{ path: string; mode: string; inode: number; isOpen: boolean }[]> {
  const entries = await readdir(top, { withFileTypes: true, recursive: true });
  const own = entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(
    own.map(async (path) => ({ path: path.slice(top.length + 1), status: await stat(path) })),
  );
  return found.map(({ path, status: { mode, ino: inode } }) => ({
    path,
    inode,
    mode: (mode & 0o777).toString(8),
    isOpen: (mode & 0o077) !== 0,
  }));
}

test('the first command on a state folder of an older version takes the rights of others from it, with a note', async () => {
  expect(firstCommand.exitCode).toBe(0);
  expect(firstCommand.stderr).toContain(
    `other users could enter the state folder ${home} (mode 755); now only you can`,
  );
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  expect(nautil('store', 'gc', '--dry-run').stderr).not.toContain('other users');
});

test('no file and no folder of the state folder has rights for others, whoever of Nautil, Temporal and MLflow wrote it', async () => {
  const found = await modesBelow(home);
  // A checkpoint that is a result too has two names and one mode; the folders keep others from its name in the state folder.
  const results = new Set((await modesBelow(output)).map(({ inode }) => inode));
  expect(found.filter(({ isOpen, inode }) => isOpen && !results.has(inode))).toEqual([]);
  const paths = found.map(({ path }) => path);
  for (const written of ['stack.json', 'temporal.db', 'mlflow/mlflow.db', 'logs/worker.log', 'runs/old/run.json'])
    expect(paths).toContain(written);
  for (const written of [/config\.yaml$/, /run\.json$/, /mlflow\.jsonl$/, /\.safetensors$/, /^mlflow\/artifacts\/./])
    expect(paths.filter((path) => written.test(path))).not.toEqual([]);
});

testAsNobody('another user can neither list the state folder nor read a file in it whose path they know', async () => {
  expect(asNobody('ls', home)).toMatchObject({ exitCode: 2, stdout: '' });
  const files = (await modesBelow(home)).map(({ path }) => join(home, path));
  expect(files.length).toBeGreaterThan(50);
  expect(asNobody('cat', ...files)).toMatchObject({ exitCode: 1, stdout: '' });
});

testAsNobody('another user can read the results, which the umask leaves open to them', async () => {
  const { stdout } = asNobody('find', output, join(folder, 'model.nemo'), '-type', 'f', '!', '-readable');
  expect(stdout).toBe('');
  const kept = (await modesBelow(output)).map(({ path }) => path);
  for (const written of [/hparams\.yaml$/, /\.ckpt$/])
    expect(kept.filter((path) => written.test(path))).not.toEqual([]);
});
