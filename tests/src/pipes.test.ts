import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';

const folder = mkdtempSync(join(tmpdir(), 'nautil-pipes-'));
const pipe = (name: string): string => {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
};
beforeAll(() => {
  writeFileSync(join(folder, 'dev.tsv'), 'good\t1\nbad\t0\n');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command, which a pipe without a writer would keep from ending, even by SIGTERM. */
const nautil = (args: readonly string[], cwd = folder) =>
  new Promise<{ exitCode: number | string | undefined; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args],
      {
        cwd,
        env: { ...process.env, NODE_OPTIONS: '', NAUTIL_HOME: join(folder, 'home'), INIT_CWD: cwd },
        timeout: 60_000,
        killSignal: 'SIGKILL',
      },
      (error, _stdout, stderr) => {
        resolve({ exitCode: error === null ? 0 : (error.code ?? undefined), stderr });
      },
    );
  });

const encoder = `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`;

test.each<[string, (path: string) => string[]]>([
  ['inspect', (path) => ['inspect', path]],
  ['verify', (path) => ['verify', path]],
  ['predict, as the model', (path) => ['predict', '--model', path, '--input', join(folder, 'dev.tsv')]],
  ['a configuration', () => ['config', 'show', '--config-path', folder, '--config-name', 'configuration']],
  ['training data', (path) => ['train', encoder, `model.train_ds.file_path=${path}`]],
  [
    'the names of the classes',
    (path) => [
      'train',
      encoder,
      `model.train_ds.file_path=${join(folder, 'dev.tsv')}`,
      `model.class_labels.class_labels_file=${path}`,
    ],
  ],
])(
  'a named pipe in place of a file is an error, and never waited for: %s',
  async (what, args) => {
    const path = pipe(what === 'a configuration' ? 'configuration.yaml' : what.replaceAll(/\W/g, '-'));
    const { exitCode, stderr } = await nautil(args(path));
    expect(stderr).toMatch(/is a pipe, a socket or a device, not a file|is a special file/);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(exitCode).toBeGreaterThan(0);
  },
  90_000,
);

test.each(['socket', '/dev/zero'])(
  'a %s in place of a file is an error, too',
  async (what) => {
    const path = what === 'socket' ? join(folder, what) : what;
    const server = createServer();
    if (what === 'socket') await new Promise<void>((resolve) => server.listen(path, resolve));
    const { exitCode, stderr } = await nautil(['verify', path]);
    if (what === 'socket') server.close();
    expect(stderr).toMatch(/a socket or a device, not a file/);
    expect(exitCode).toBeGreaterThan(0);
  },
  90_000,
);

test('a `.env` that is not a file is an error, and never waited for', async () => {
  const cwd = mkdtempSync(join(folder, 'env-'));
  execFileSync('mkfifo', [join(cwd, '.env')]);
  const { exitCode, stderr } = await nautil(['status'], cwd);
  expect(stderr).toContain('.env is not a file');
  expect(exitCode).toBe(2);
}, 90_000);
