import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Evaluated, StageResult, TrainedModel } from '@nautil/contracts';
import { parseEvaluations, type StoredEvaluation } from '@nautil/contracts/schemas';
import { goldenPath } from '@nautil/testing';
import { Trainers } from '@nautil/trainer-process';
import { programEnvironment } from './testing/program-environment.js';
import { StagedRun } from './testing/staged-run.js';

// What the end of a run says of its best weights. Without a learning rate, every validation has the same loss, whatever the data are, and
// the first one is the best.

const root = mkdtempSync(join(tmpdir(), 'nautil-best-'));
const trainers = new Trainers(programEnvironment(join(root, 'home')));
const file = (name: string): string => join(root, name);

beforeAll(() => {
  process.env['NAUTIL_HOME'] = join(root, 'home');
  const lines = readFileSync(goldenPath('nemo/traj_train.tsv'), 'utf8').trim().split('\n');
  const labelled = lines.map((line, i) => line.replace(/\t\d+$/, `\t${i % 2}`));
  const write = (name: string, some: string[]): void => writeFileSync(file(name), `${some.join('\n')}\n`);
  write('train.tsv', labelled.slice(0, 8));
  write('dev.tsv', labelled.slice(8, 16));
  write('test.tsv', labelled.slice(16, 24));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

async function run(
  runKey: string,
  overrides: string[],
): Promise<{ model: TrainedModel; evaluated: StageResult<Evaluated>; evaluations: StoredEvaluation[] }> {
  const given = [
    'trainer.accelerator=cpu',
    'trainer.max_epochs=3',
    `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
    `model.train_ds.file_path=${file('train.tsv')}`,
    `model.validation_ds.file_path=${file('dev.tsv')}`,
    'model.train_ds.batch_size=4',
    'model.optim.lr=0',
    '~model.optim.sched',
    'exp_manager.checkpoint_callback_params.monitor=val_loss',
    'exp_manager.checkpoint_callback_params.mode=min',
    ...overrides,
  ];
  const home = join(root, 'home');
  const staged = await StagedRun.open({ home, cwd: root, runKey, overrides: given, trainer: (o) => trainers.run(o) });
  const { model, evaluated } = await staged.run();
  const { path } = evaluated.evaluations;
  return { model, evaluated, evaluations: parseEvaluations(await readFile(path, 'utf8'), path) };
}

const saveBest = 'exp_manager.checkpoint_callback_params.save_best_model=true';
const testSet = `model.test_ds.file_path=${file('test.tsv')}`;

test('the scores of the best weights have the step and the epoch of these weights', async () => {
  const { model, evaluated, evaluations } = await run('best-on-test', [saveBest, testSet]);
  expect(model).toMatchObject({ step: 6, epoch: 2, best: { step: 2, epoch: 0 } });
  expect(evaluated.detail).toContain('best weights (step 2, val_loss ');
  expect(evaluations.map(({ split, step, epoch, bestBy }) => ({ split, step, epoch, bestBy }))).toEqual([
    { split: 'val', step: 2, epoch: 0, bestBy: 'val_loss' },
    { split: 'val', step: 4, epoch: 1 },
    { split: 'val', step: 6, epoch: 2 },
    { split: 'test', step: 2, epoch: 0 },
  ]);
});

test('without a test set, the repeated validation of the best weights replaces that of their step', async () => {
  const { evaluated, evaluations } = await run('best-on-validation', [saveBest]);
  expect(evaluated.scores?.split).toBe('val');
  expect(evaluations.map(({ step, bestBy }) => ({ step, bestBy }))).toEqual([
    { step: 4 },
    { step: 6 },
    { step: 2, bestBy: 'val_loss' },
  ]);
});

test('the best validation is that of the monitor also where the last weights are packaged', async () => {
  const { evaluations } = await run('last-on-test', [testSet]);
  expect(evaluations.map(({ split, step, bestBy }) => ({ split, step, bestBy }))).toEqual([
    { split: 'val', step: 2, bestBy: 'val_loss' },
    { split: 'val', step: 4 },
    { split: 'val', step: 6 },
    { split: 'test', step: 6 },
  ]);
});
