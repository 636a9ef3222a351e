import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
const nautil = (args: string[], cwd = packageRoot()): Promise<Outcome> =>
  new Promise((done) => {
    const env = { ...process.env, INIT_CWD: cwd };
    execFile(process.execPath, [program, 'config', ...args], { cwd, env }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'nautil-config-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('show prints the resolved configuration, and notes to standard error', async () => {
  const { code, stdout, stderr } = await nautil(['show', '--config-name', 'sst2', 'trainer.gpus=0']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^trainer:\n/);
  expect(stdout).toContain('    tokenizer_name: all-MiniLM-L6-v2\n');
  expect(stderr).toBe('note: override 1: trainer.gpus=0 is read as trainer.accelerator=cpu\n');
});

test('show --json prints the tree; --origins shows where each value was written', async () => {
  const [tree, origins] = await Promise.all([
    nautil(['show', '--json', 'trainer.max_epochs=3']),
    nautil(['show', '--origins', '--config-name', 'sst2', 'trainer.max_epochs=3']),
  ]);
  expect(JSON.parse(tree.stdout)).toMatchObject({ trainer: { max_epochs: 3 } });
  expect(origins.stdout).toMatch(/^trainer\.max_epochs=3 +override 1: trainer\.max_epochs=3$/m);
  expect(origins.stdout).toMatch(/^trainer\.accelerator="cpu" +conf\/trainer\/cpu\.yaml:\d+$/m);
});

test('show reports a mistake with its line and the nearest key, without a stack, with exit code 2', async () => {
  await writeFile(join(folder, 'mine.yaml'), 'trainer:\n  max_epoch: 3\n');
  expect(await nautil(['show', '--config-path', folder, '--config-name', 'mine'], folder)).toEqual({
    code: 2,
    stdout: '',
    stderr: `mine.yaml:2: trainer.max_epoch is not a known key
  did you mean max_epochs?
  \`npx nautil config explain trainer\` lists the keys
`,
  });
});

test('explain shows what a key does, its values, and its current value', async () => {
  const { stdout } = await nautil(['explain', 'trainer.val_check_interval', 'trainer.val_check_interval=0.25']);
  expect(stdout).toBe(`trainer.val_check_interval
  When to validate. A number with a dot is a fraction of an epoch (0.25 is four times per epoch, 1.0 is at its end); a number without one is a number of batches.

  values   a number, more than 0; or null
  default  1.0
  now      0.25  (override 1: trainer.val_check_interval=0.25)
  needs    model.validation_ds.file_path or nautil.data.source or nautil.data.validation_fraction other than 0 or nautil.data.format other than nemo, and trainer.limit_val_batches other than 0
`);
});

test('explain of an old spelling explains the new one', async () => {
  const { stdout } = await nautil(['explain', 'trainer.gpus']);
  expect(stdout).toMatch(/^trainer\.gpus is an old spelling: it is read as trainer\.devices\n\ntrainer\.devices\n/);
});

test('explain of a section lists its keys; without a key it lists the sections', async () => {
  const [section, all] = await Promise.all([nautil(['explain', 'model.train_ds']), nautil(['explain'])]);
  expect(section.stdout).toMatch(/^model\.train_ds: The training data\.\n/);
  expect(section.stdout).toMatch(/^ {2}model\.train_ds\.batch_size +64 +Examples in a batch/m);
  expect(all.stdout).toMatch(/^model\.optim\.sched +The schedule of the learning rate/m);
});

test.each([
  ['trainer.max_epoch', 'trainer.max_epochs'],
  ['max_seq_length', 'model.dataset.max_seq_length'],
  ['batch_sise', 'model.train_ds.batch_size, model.validation_ds.batch_size, model.test_ds.batch_size'],
])('explain %s suggests %s', async (key, suggested) => {
  const { code, stderr } = await nautil(['explain', key]);
  expect(code).toBe(2);
  expect(stderr).toBe(`${key} is not a known key
  did you mean ${suggested}?
  \`npx nautil config explain\` lists the sections
`);
});
