import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ConfigError, readProcessor } from '@nautil/config';
import { writeSafetensors } from '@nautil/formats';
import { packageRoot } from '@nautil/store/folders';
import { resolveRun } from './resolve-run.js';

let folder: string;
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

test('an error of any step, also one of the system, has references in place of values from the environment', async () => {
  process.env['FILE_OF_MINE'] = join(folder, 'mine/reviews.yaml');
  const errorOf = (runKey: string, overrides: string[]) =>
    resolved(runKey, { cwd: folder, overrides: ['model.train_ds.file_path=train.tsv', ...overrides] });
  await expect(
    errorOf('no-folder', ['exp_manager.explicit_log_dir="${oc.env:FILE_OF_MINE}/logs"']),
  ).rejects.toMatchObject({
    name: 'FileUnusable',
    message: '${oc.env:FILE_OF_MINE}/logs does not exist: a part of its path is a file, not a folder',
  });
  await expect(
    errorOf('no-checkpoint', ['exp_manager.exp_dir="${oc.env:FILE_OF_MINE}"', 'exp_manager.resume_if_exists=true']),
  ).rejects.toMatchObject({
    name: 'CannotResume',
    message: expect.stringContaining('checkpoint to resume from in ${oc.env:FILE_OF_MINE}/'),
  });
});

test('trainer.precision=auto is stored as the format that was chosen, which a resumed run keeps', async () => {
  const { run, tree } = await resolved('auto', { config: 'sst2', cwd: folder, overrides: ['trainer.precision=auto'] });
  const { hasBfloat16, instructions } = readProcessor();
  const precision = hasBfloat16 ? 'bf16-mixed' : 32;
  expect(tree).toMatchObject({ trainer: { precision } });
  expect(run.notes).toContain(
    `trainer.precision=auto is ${precision}: the processor (${instructions}) has ${hasBfloat16 ? '' : 'no '}instructions for bfloat16`,
  );
  const fixed = await resolved('fixed', {
    config: 'sst2',
    cwd: folder,
    overrides: [`trainer.precision=${precision}`],
  });
  expect(run.configDigest).toBe(fixed.run.configDigest);
});

test('the sample data of the checkout is found from anywhere', async () => {
  const { tree } = await resolved('sample', { config: 'sst2', cwd: folder });
  expect(tree).toMatchObject({
    model: { nemo_path: join(folder, 'models/sst2.nemo') },
    nautil: { data: { source: join(packageRoot(), 'samples/sst-2') } },
  });
});

test('{run} in model.nemo_path is the name of the run, as a file name', async () => {
  const pathOf = async (request: { workflowId: string; overrides?: string[] }, runName?: string) => {
    const run = await resolveRun({ runKey: 'named', taskQueue: 'nautil', cwd: folder, ...request }, { runName });
    return (JSON.parse(await readFile(run.config.path, 'utf8')) as { model: { nemo_path: string } }).model.nemo_path;
  };
  expect(await pathOf({ workflowId: 'reviews-7' })).toBe(join(folder, 'models/reviews-7.nemo'));
  expect(await pathOf({ workflowId: 'train-reviews' }, 'train-reviews-noon')).toBe(
    join(folder, 'models/train-reviews-noon.nemo'),
  );
  expect(await pathOf({ workflowId: 'a/../b' })).toMatch(/models\/a-b~[0-9a-f]{12}\.nemo$/);
  const overrides = ["model.nemo_path='{run}/{run}.nemo'"];
  expect(await pathOf({ workflowId: 'twice', overrides })).toBe(join(folder, 'twice/twice.nemo'));
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

test('a resumed run is independent of the log folder, where later checkpoints replace the one it continues', async () => {
  const log = join(folder, 'log/checkpoints');
  await mkdir(log, { recursive: true });
  const save = (name: string, progress: object): Promise<string> =>
    writeSafetensors(join(log, name), [], {
      format: 'nautil-checkpoint', // of Nautil 0.1.0, which has no digest
      progress: JSON.stringify({ split: 1, events: [], ...progress }),
    });
  const best = { monitor: 'val_loss', value: 0.5, step: 5 };
  await save('a-epoch=0.ckpt', { step: 5, best });
  await save('a-epoch=1.ckpt', { step: 10, best });
  await save('a-last.ckpt', { step: 15, best });
  const saved = await readFile(join(log, 'a-last.ckpt'));
  const overrides = ['exp_manager.resume_if_exists=true', `exp_manager.explicit_log_dir=${join(folder, 'log')}`];
  const { run } = await resolved('resumed', { overrides });
  await rm(log, { recursive: true });
  expect(run.resumeFrom).toBe(join(run.folder, 'resumed-from/a-last.ckpt'));
  expect(await readFile(run.resumeFrom!)).toEqual(saved);
  expect(await readdir(join(run.folder, 'resumed-from'))).toEqual(['a-epoch=0.ckpt', 'a-last.ckpt']);
});

test('a run whose state folder was moved finds its files in the new place', async () => {
  const before = join(folder, 'home');
  const overrides = [`exp_manager.explicit_log_dir=${join(before, 'logs')}`];
  const { run } = await resolved('moved', { overrides });
  const after = join(folder, 'moved');
  await rename(before, after);
  process.env['NAUTIL_HOME'] = after;
  try {
    const again = await resolved('moved', { overrides, begunBefore: true });
    expect(JSON.stringify({ ...again.run, notes: [] })).not.toContain(`${before}/`);
    const moved = (path: string): string => path.replace(before, after);
    expect(again.run).toEqual({
      ...run,
      folder: moved(run.folder),
      logDir: moved(run.logDir),
      config: { ...run.config, path: moved(run.config.path) },
    });
    expect(JSON.parse(await readFile(join(again.run.folder, 'run.json'), 'utf8'))).toEqual(again.run);
  } finally {
    await rename(after, before);
    process.env['NAUTIL_HOME'] = before;
  }
});
