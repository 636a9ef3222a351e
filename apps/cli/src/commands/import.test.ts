import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';

const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
const folder = mkdtempSync(join(tmpdir(), 'nautil-import-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'import', ...args], {
    cwd: packageRoot(),
    env: { ...process.env, NODE_OPTIONS: '', DEBUG: '' },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('the command converts the sample and prints the written files', () => {
  const target = join(folder, 'a folder');
  const { status, stdout } = run(
    '--dataset_name',
    'sst-2',
    '--source_data_dir=samples/sst-2',
    '--target_data_dir',
    target,
    '--json',
  );
  expect(status).toBe(0);
  const imported = JSON.parse(stdout) as { train: string; counts: { train: { rows: number } } };
  expect(imported.train).toBe(join(target, 'train.tsv'));
  expect(readFileSync(imported.train, 'utf8').split('\n').length - 1).toBe(imported.counts.train.rows);
});

test('an unknown dataset is a usage error, a missing source a data error', () => {
  const usage = run('--dataset_name', 'glue', '--source_data_dir', 'x', '--target_data_dir', 'y');
  expect(usage).toEqual({
    status: 2,
    stdout: '',
    stderr:
      '--dataset_name glue is unknown; known datasets: sst-2, chemprot, imdb, thucnews\n  `npx nautil import --help` lists the options\n',
  });
  const data = run('--dataset_name', 'imdb', '--source_data_dir', 'nowhere', '--target_data_dir', 'tmp/never');
  expect(data.status).toBe(3);
  expect(data.stderr).toMatch(/^nowhere does not exist\n {2}download the data from \S+ .*\n$/);
});
