import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { StageResult, TrainedModel, TrainRequest } from '@nautil/contracts';
import { goldenPath } from '@nautil/testing';
import { cache, convert, download, resolveRun, tokenize, trainModel } from './index.js';

// When training is found again and when it is made again. What it computes plays no part: it leaves its folder's name.

const home = mkdtempSync(join(tmpdir(), 'nautil-train-'));
beforeAll(() => {
  process.env['NAUTIL_HOME'] = home;
});
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

interface Asked {
  workflowId?: string;
  runKey: string;
  more?: string[];
  stopEarly?: boolean;

  /** Id of an execution that asked for training again. */
  redo?: string;

  /** Without a scope. */
  alone?: boolean;
}

/** Everything up to training as it is, then a training that takes no time. */
async function train({ workflowId = 'w', runKey, more = [], stopEarly = false, redo, alone = false }: Asked) {
  const file = goldenPath('nemo/traj_train.tsv');
  const run = await resolveRun({
    workflowId,
    runKey,
    taskQueue: 'q',
    overrides: [
      `exp_manager.exp_dir=${join(home, 'nemo_experiments')}`,
      `model.train_ds.file_path=${file}`,
      `model.validation_ds.file_path=${file}`,
      `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
      'model.dataset.num_classes=null',
      ...more,
    ],
    ...(redo === undefined ? {} : { redo: { from: 'train', token: redo } }),
  });
  const source = await download({ run });
  const inputs = await cache({ run, source, data: await convert({ run, source }) });
  const request: TrainRequest = { run, inputs, tokens: await tokenize({ run, inputs }), stopEarly };
  return trainModel(request, {
    ...(alone ? {} : { scope: workflowId }),
    compute: async ({ job }) => {
      const lastWeights = join(job.folder, 'last.safetensors');
      await mkdir(job.folder, { recursive: true });
      await writeFile(lastWeights, job.folder);
      return { step: 1, epoch: 0, reason: stopEarly ? 'stopped' : 'completed', lastWeights };
    },
  });
}

const weightsOf = ({ lastWeights }: StageResult<TrainedModel>): string => lastWeights.path;

test('a run reuses its own training', async () => {
  expect((await train({ runKey: 'first' })).reused).toBe(false);
  expect((await train({ runKey: 'first' })).reused).toBe(true);
});

test.each([
  ['model.test_ds.file_path', 'nemo/traj_train.tsv'],
  ['model.nemo_path', 'elsewhere.nemo'],
  ['trainer.limit_test_batches', '3'],
  ['model.infer_samples', '[a]'],
  ['exp_manager.checkpoint_callback_params.save_best_model', 'true'],
  ['exp_manager.checkpoint_callback_params.save_top_k', '1'],
  ['exp_manager.name', 'another'],
  ['model.train_ds.num_workers', '1'],
  ['trainer.enable_progress_bar', 'false'],
])('a later run in the same scope with another %s reuses it too', async (key, value) => {
  const made = await train({ runKey: 'first' });
  const later = await train({
    runKey: key,
    more: [`${key}=${key.endsWith('file_path') ? goldenPath(value) : value}`],
  });
  expect(later.reused).toBe(true);
  expect(weightsOf(later)).toBe(weightsOf(made));
});

test.each([
  'model.optim.lr=1e-3',
  'nautil.seed=7',
  'trainer.precision=bf16',
  'model.train_ds.num_samples=3',
  'model.dataset.max_seq_length=8',
  'trainer.log_every_n_steps=2',
  'trainer.devices=2',
])('%s trains again', async (override) => {
  expect((await train({ runKey: override, more: [override] })).reused).toBe(false);
});

test('a run in another scope, or without one, trains again', async () => {
  await train({ runKey: 'first' });
  expect((await train({ workflowId: 'other', runKey: 'first' })).reused).toBe(false);
  expect((await train({ runKey: 'alone', alone: true })).reused).toBe(false);
});

test('a repeated training gets its own folder, and replaces the earlier one as the run’s training', async () => {
  const before = await train({ runKey: 'first' });
  const again = await train({ runKey: 'first', redo: 'execution 2' });
  expect(again.reused).toBe(false);
  expect(weightsOf(again)).not.toBe(weightsOf(before));
  expect(existsSync(weightsOf(before))).toBe(true);
  expect(weightsOf(await train({ runKey: 'first', redo: 'execution 2' }))).toBe(weightsOf(again));
  expect(weightsOf(await train({ runKey: 'first' }))).toBe(weightsOf(again));
  expect((await train({ runKey: 'first', redo: 'execution 3' })).reused).toBe(false);
});

test('a training that was stopped early is not reused by another run', async () => {
  const more = ['model.optim.lr=3e-3'];
  const stopped = await train({ runKey: 'stopped', more, stopEarly: true });
  expect(stopped.reason).toBe('stopped');
  expect((await train({ runKey: 'stopped', more })).reused).toBe(true);
  expect(await train({ runKey: 'another', more })).toMatchObject({ reused: false, reason: 'completed' });
});
