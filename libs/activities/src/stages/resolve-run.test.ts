import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ConfigError } from '@nautil/config';
import { packageRoot } from '@nautil/store';
import { resolveRun } from './resolve-run.js';

let folder: string;
const { NAUTIL_HOME } = process.env;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nautil-resolve-'));
  process.env['NAUTIL_HOME'] = join(folder, 'home');
  await mkdir(join(folder, 'mine'));
  await writeFile(
    join(folder, 'mine/reviews.yaml'),
    `trainer:
  gpus: 0
  max_epochs: 3
model:
  nemo_path: reviews.nemo
  train_ds:
    file_path: train.tsv
exp_manager:
  name: Reviews
`,
  );
});
afterAll(async () => {
  if (NAUTIL_HOME === undefined) delete process.env['NAUTIL_HOME'];
  else process.env['NAUTIL_HOME'] = NAUTIL_HOME;
  await rm(folder, { recursive: true, force: true });
});

const resolved = async (runKey: string, request: object) => {
  const run = await resolveRun({ workflowId: 'resolve', runKey, taskQueue: 'nautil', ...request });
  return { run, tree: JSON.parse(await readFile(run.config.path, 'utf8')) as unknown };
};

test('a configuration file is read from its own folder, and its relative paths start in cwd', async () => {
  const { run, tree } = await resolved('own', { configPath: join(folder, 'mine'), config: 'reviews', cwd: folder });
  expect(tree).toMatchObject({
    trainer: { accelerator: 'cpu', devices: 1, max_epochs: 3 },
    model: { nemo_path: join(folder, 'reviews.nemo'), train_ds: { file_path: join(folder, 'train.tsv') } },
  });
  expect(run).toMatchObject({ experiment: 'Reviews', dataset: 'train.tsv' });
  expect(run.notes[0]).toBe('mine/reviews.yaml:2: trainer.gpus=0 is read as trainer.accelerator=cpu');
});

test('the sample data of the checkout is found from anywhere', async () => {
  const { tree } = await resolved('sample', { config: 'sst2', cwd: folder });
  expect(tree).toMatchObject({
    model: { nemo_path: join(folder, 'models/sst2.nemo') },
    nautil: { data: { source: join(packageRoot(), 'samples/sst-2') } },
  });
});

test('an encoder is a folder if one exists at that path, and otherwise a name', async () => {
  await mkdir(join(folder, 'my-bert'));
  const model = (name: string) => ({ overrides: [`model.language_model.pretrained_model_name=${name}`], cwd: folder });
  const [own, named] = await Promise.all([resolved('own-bert', model('my-bert')), resolved('named', model('my-gpt'))]);
  const both = (name: string) => ({
    model: { language_model: { pretrained_model_name: name }, tokenizer: { tokenizer_name: name } },
  });
  expect(own.tree).toMatchObject(both(join(folder, 'my-bert')));
  expect(own.run.model).toBe('my-bert');
  expect(named.tree).toMatchObject(both('my-gpt'));
});

test('an error in a configuration file names its line', async () => {
  await writeFile(join(folder, 'mine/wrong.yaml'), 'trainer:\n  max_epoch: 3\n');
  const wrong = resolved('wrong', { configPath: join(folder, 'mine'), config: 'wrong', cwd: folder });
  await expect(wrong).rejects.toThrow(ConfigError);
  await expect(wrong).rejects.toThrow('mine/wrong.yaml:2: trainer.max_epoch is not a known key');
});

test.each(['', 'soon', '4999', '-60000', '1e5'])(
  'NAUTIL_HEARTBEAT_TIMEOUT_MS=%j is rejected, and the hint lists the valid values',
  async (given) => {
    process.env['NAUTIL_HEARTBEAT_TIMEOUT_MS'] = given;
    try {
      await expect(resolved(`beat ${given}`, {})).rejects.toMatchObject({
        name: 'EnvironmentInvalid',
        message: expect.stringContaining(JSON.stringify(given)),
        hint: expect.stringContaining('5000'),
      });
    } finally {
      delete process.env['NAUTIL_HEARTBEAT_TIMEOUT_MS'];
    }
  },
);
