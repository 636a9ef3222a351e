import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { testIf } from '@nautil/testing';
import { type Ended, root, runProgram } from './testing/run-program.js';
import { StateFolder } from './testing/state-folder.js';

let state: StateFolder;
beforeAll(async () => (state = await StateFolder.make()));
afterAll(() => state.remove());

const setUp = (args: string[], env: Record<string, string> = {}): Promise<Ended> =>
  runProgram(process.execPath, [join(root, 'tools/setup.mjs'), ...args], { env: { NAUTIL_HOME: state.path, ...env } });

/** Answers as `pip --version`, as `pip install --dry-run`, and as the program that asks for the sizes of files. */
const fakePip = `
const { writeFileSync } = require('node:fs');
const args = process.argv.slice(2);
const extra = 'extra == "and-cuda"';
const requires_dist = ['numpy>=1.26', 'nvidia-cublas-cu12 (<13.0,>=12.5) ; ' + extra, 'nvidia-nccl-cu12<3.0; ' + extra];
const known = {
  'tensorflow==2.21.0': { name: 'tensorflow', version: '2.21.0', requires_dist },
  'nvidia-cublas-cu12<13.0,>=12.5': { name: 'nvidia-cublas-cu12', version: '12.9.1.4' },
  'nvidia-nccl-cu12<3.0': { name: 'nvidia-nccl-cu12', version: '2.25.1' },
};
if (args.includes('--version')) console.log('pip 25.3 from somewhere (python 3.12)');
else if (args[1] === 'pip') {
  const install = args.filter((arg) => arg in known).map((arg) => ({
    metadata: known[arg],
    download_info: { url: 'https://example.org/' + known[arg].name },
  }));
  writeFileSync(args[args.indexOf('--report') + 1], JSON.stringify({ install }));
} else for (const url of args.slice(2)) console.log({ tensorflow: 600e6, 'nvidia-cublas-cu12': 500e6 }[url.slice(20)] ?? 0);
`;

test('completed steps are skipped and reported', async () => {
  const { exitCode, stderr } = await setUp([]);
  expect(stderr).toMatch(/npm packages: ready \(\d+ packages\)/);
  expect(stderr).toMatch(/Python environment: ready \(Python 3\.\d+/);
  expect(stderr).toMatch(/TensorFlow library: ready/);
  expect(stderr).toMatch(/default weights: ready/);
  expect(exitCode).toBe(0);
});

test('without a Python, the attempts and a hint are printed, without a stack, with exit code 4', async () => {
  const empty = join(state.path, 'another');
  const { exitCode, stderr } = await setUp(['--python', '/nowhere/python3'], { NAUTIL_HOME: empty });
  expect(stderr).toMatch(
    /setup: no suitable Python was found:\n {2}\/nowhere\/python3 not found\n {2}install Python 3\.10/,
  );
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(exitCode).toBe(4);
});

test('a Python that is too old is refused with its version', async () => {
  const old = join(state.path, 'old-python');
  await writeFile(old, '#!/bin/sh\nprintf "%s\\n3.8.10\\n\\n" "$0"\n');
  await chmod(old, 0o755);
  const { exitCode, stderr } = await setUp(['--python', old], { NAUTIL_HOME: join(state.path, 'another') });
  expect(stderr).toMatch(/old-python is Python 3\.8\.10, and 3\.10 or newer is needed/);
  expect(exitCode).toBe(4);
});

test('an unreachable registry is named as the cause, and an incomplete step does not count as complete', async () => {
  const home = join(state.path, 'offline');
  await mkdir(home, { recursive: true });
  const env = {
    NAUTIL_HOME: home,
    PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
    PIP_EXTRA_INDEX_URL: '',
    PIP_RETRIES: '0',
    PIP_CONFIG_FILE: '/dev/null',
    PIP_NO_INDEX: '',
    PIP_FIND_LINKS: '',
  };
  for (let times = 0; times < 2; times++) {
    const { exitCode, stderr } = await setUp([], env);
    expect(stderr).toMatch(/failed: the registry (cannot be reached|offers no version of that package)/);
    expect(stderr).not.toMatch(/Python environment: ready/);
    expect(exitCode).toBe(4);
  }
});

test('a dry run for GPUs lists the packages of the wheel’s extra with versions, sizes and folders, and changes nothing', async () => {
  const home = join(state.path, 'dry');
  const bin = join(home, 'python/bin');
  await mkdir(bin, { recursive: true });
  // A Python whose pip knows three packages, of which the extra and-cuda has two.
  await writeFile(join(bin, 'python'), `#!${process.execPath}\n${fakePip}`, { mode: 0o755 });
  const before = await readdir(home, { recursive: true });
  const { exitCode, stderr } = await setUp(['--gpu', '--dry-run'], { NAUTIL_HOME: home });
  expect(stderr).toMatch(/Python environment: would be installed.*\n.* mlflow==/);
  const gpu = stderr.slice(stderr.indexOf('TensorFlow library for GPUs'), stderr.indexOf('default weights'));
  expect(gpu.replaceAll('[setup] ', '').trim().split('\n')).toEqual([
    'TensorFlow library for GPUs: would be installed, with up to 9.0 GB on disk meanwhile',
    '  tensorflow==2.21.0 (600 MB)',
    '  nvidia-cublas-cu12==12.9.1.4 (500 MB)',
    '  nvidia-nccl-cu12==2.25.1 (size unknown)',
    '  3 packages, 1100 MB and those of unknown size',
    `  to ${home}/tensorflow/2.21.0-gpu and ${home}/tensorflow/nvidia`,
  ]);
  expect(stderr).toContain('nothing was changed');
  expect(exitCode).toBe(0);
  expect(await readdir(home, { recursive: true })).toEqual(before);
});

test('an unknown option is reported with the command that lists the options, and exit code 2', async () => {
  const { exitCode, stderr } = await setUp(['--phyton', 'x']);
  expect(stderr).toMatch(/setup: Unknown option '--phyton'[^]*--help` lists the options/);
  expect(exitCode).toBe(2);
});

testIf(
  process.getuid?.() === 0,
  'only root may give a file to another user',
  'a .env of another user is refused before it chooses the Python that is run',
  async () => {
    const folder = join(state.path, 'working-folder');
    await mkdir(folder);
    await writeFile(join(folder, '.env'), 'NAUTIL_PYTHON=/nowhere/python3\n');
    await chown(join(folder, '.env'), 65_534, 65_534);
    const { exitCode, stderr } = await setUp([], { INIT_CWD: folder, NAUTIL_HOME: join(state.path, 'another') });
    expect(stderr).toMatch(/\.env belongs to another user \(65534\)/);
    expect(exitCode).toBe(2);
  },
);

test.each([
  ['the group', 0o660],
  ['all users', 0o606],
])('a .env that %s can write is refused before it chooses the Python that is run', async (_, mode) => {
  const folder = join(state.path, `writable-${mode}`);
  const path = join(folder, '.env');
  await mkdir(folder);
  await writeFile(path, 'NAUTIL_PYTHON=/nowhere/python3\n');
  await chmod(path, mode);
  const { exitCode, stderr } = await setUp([], { INIT_CWD: folder, NAUTIL_HOME: join(state.path, 'another') });
  expect(stderr).toContain(`${path} can be written by other users`);
  expect(stderr).toContain(`chmod go-w ${path}`);
  expect(exitCode).toBe(2);
});
