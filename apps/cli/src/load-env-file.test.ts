import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { testIf } from '@nautil/testing';

const top = mkdtempSync(join(tmpdir(), 'nautil-env-'));
afterAll(() => rmSync(top, { recursive: true }));

interface Ended {
  exitCode: number;
  stderr: string;
}

/** Runs `nautil status` in a folder with a `.env`. The port that MLflow's address has shows which variable was used. */
function statusWith(
  content: string | Uint8Array | undefined,
  env: NodeJS.ProcessEnv = {},
): Promise<Ended & { port: string }> {
  const folder = mkdtempSync(join(top, 'folder-'));
  if (content !== undefined) writeFileSync(join(folder, '.env'), content);
  return statusIn(folder, env);
}

function statusIn(folder: string, env: NodeJS.ProcessEnv = {}): Promise<Ended & { port: string }> {
  const clean = { ...process.env, NODE_OPTIONS: '', NAUTIL_HOME: join(top, 'state'), INIT_CWD: undefined };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), 'status', '--json'],
      { cwd: folder, env: { ...clean, MLFLOW_TRACKING_URI: undefined, NAUTIL_MLFLOW_PORT: undefined, ...env } },
      (error, stdout, stderr) =>
        resolve({
          exitCode: Number(error?.code ?? 0),
          stderr,
          port: /"http:\/\/127\.0\.0\.1:(\d+)"/g.exec(stdout.slice(stdout.indexOf('mlflow')))?.[1] ?? '',
        }),
    );
  });
}

test('variables in the .env of the working folder are set, and those of the shell win', async () => {
  const file = "# ports\n\nexport NAUTIL_MLFLOW_PORT=\"50123\" # of MLflow\nX='a\nb'\nY=it's\r\nZ=\n";
  expect((await statusWith(file)).port).toBe('50123');
  expect((await statusWith(file, { NAUTIL_MLFLOW_PORT: '50124' })).port).toBe('50124');
  expect((await statusWith(undefined)).port).toBe('5000');
}, 60_000);

test('a .env that begins with a byte order mark sets its first variable, too', async () => {
  expect((await statusWith('\uFEFFNAUTIL_MLFLOW_PORT=50123\n')).port).toBe('50123');
});

test.each([
  [
    'a line that sets nothing, which would hide the next',
    'A=1\nthis is no variable\nNAUTIL_MLFLOW_PORT=50123\n',
    'line 2',
  ],
  ['a quotation that does not end', 'A=1\nB=  "x\nC=2\n', 'line 2'],
  ['a name with a space', 'A B=1', 'line 1'],
  ['bytes that are not UTF-8', Uint8Array.of(0xff, 0xfe, 0x41), 'cannot be read'],
  ['a zero byte', 'A=1\0', 'line 1'],
])('a .env with %s is a usage error that names the place', async (_, content, place) => {
  const { exitCode, stderr } = await statusWith(content);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/\.env/);
  expect(stderr).toContain(place);
  expect(stderr).not.toMatch(/^ +at /m);
});

test('a folder named .env is a usage error', async () => {
  const folder = mkdtempSync(join(top, 'folder-'));
  mkdirSync(join(folder, '.env'));
  expect(await statusIn(folder)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is not a file') });
});

const isRoot = process.getuid?.() === 0;
testIf(isRoot, 'only root can make one', 'a .env of another user is refused', async () => {
  const folder = mkdtempSync(join(top, 'folder-'));
  writeFileSync(join(folder, '.env'), 'A=1');
  chownSync(join(folder, '.env'), 65_534, 65_534);
  const { exitCode, stderr } = await statusIn(folder);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('belongs to another user');
});

test.each([
  ['the group', 0o660],
  ['all users', 0o606],
  ['the group and all users', 0o666],
])(
  'a .env that %s can write is a usage error with the chmod command',
  async (_, mode) => {
    const folder = mkdtempSync(join(top, 'folder-'));
    const path = join(folder, '.env');
    writeFileSync(path, 'NAUTIL_MLFLOW_PORT=50123\n');
    chmodSync(path, mode);
    const { exitCode, stderr } = await statusIn(folder);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${path} can be written by other users`);
    expect(stderr).toContain(`chmod go-w ${path}`);
    chmodSync(path, 0o644);
    expect((await statusIn(folder)).port).toBe('50123');
  },
  60_000,
);

test('a .env that links to a file which others can write is a usage error that names the file', async () => {
  const folder = mkdtempSync(join(top, 'folder-'));
  const target = join(folder, 'settings');
  writeFileSync(target, 'NAUTIL_MLFLOW_PORT=50123\n');
  chmodSync(target, 0o666);
  symlinkSync(target, join(folder, '.env'));
  const { exitCode, stderr } = await statusIn(folder);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`chmod go-w ${target}`);
}, 60_000);
