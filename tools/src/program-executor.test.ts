import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Ended, root, runProgram } from './testing/run-program.js';

// `nx run trainer:train -- …` goes through the executor `@nautil/tools:program`, here with a program that prints its arguments.

let folder: string;
beforeAll(async () => (folder = await realpath(await mkdtemp(join(tmpdir(), 'nautil-executor-')))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const nx = (args: string[], env: Record<string, string> = {}): Promise<Ended> =>
  runProgram(
    process.execPath,
    [join(root, 'node_modules/nx/dist/bin/nx.js'), 'run', 'tools:print-arguments', ...args],
    {
      env: { NX_DAEMON: 'false', NX_TUI: 'false', INIT_CWD: folder, ...env },
    },
  );

test('arguments arrive as they were typed, whatever they contain, in the folder where they were typed', async () => {
  const typed = [
    'model.train_ds.file_path=a file.tsv',
    '$HOME',
    'k=a;echo HI',
    '`id`',
    `it's "quoted"`,
    'a\\b',
    '+model.x={a: [1, 2]}',
    '~optim',
    '${model.optim.lr}',
    'label=好',
    '*',
    '',
    '--config-name=sst2',
    'new\nline',
  ];
  const { stdout, exitCode } = await nx(['--', ...typed]);
  const printed = stdout.split('\n').find((line) => line.startsWith('{"argv"'));
  expect(JSON.parse(printed ?? 'null')).toEqual({ argv: ['first', ...typed], cwd: folder });
  expect(exitCode).toBe(0);
});

test('a program that fails makes the target fail, and its exit code is printed', async () => {
  const { stderr, stdout, exitCode } = await nx([], { PRINT_ARGUMENTS_EXIT_CODE: '3' });
  expect(exitCode).toBe(1);
  expect(`${stdout}${stderr}`).toMatch(/print-arguments\.ts ended with exit code 3/);
});
