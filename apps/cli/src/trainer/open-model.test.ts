import { expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { evaluationKeys } from '@nautil/training';
import { ignoredOverrides, openModel } from './open-model.js';

test('a path with the name of the run is no archive, and the error shows how to name one', async () => {
  const args = { overrides: ["model.nemo_path='models/{run}.nemo'"] };
  await expect(openModel(args, { cwd: process.cwd(), batchSize: () => 1, follows: [] })).rejects.toMatchObject({
    message: 'model.nemo_path is models/{run}.nemo: each run has an archive of its own, with its name for {run}',
    hint: 'add model.nemo_path=models/RUN.nemo with the name of a run, which `npx nautil runs` lists',
  });
});

test('every override that a trained model does not follow is noted once', async () => {
  const ignored = [
    'model.dataset.num_classes=8',
    'model.dataset.max_seq_length=64',
    'model.optim.lr=0.5',
    'model.language_model.pretrained_model_name=bert-base-cased',
    'trainer.max_epochs=3',
    'exp_manager.exp_dir=logs',
  ];
  const followed = ['model.nemo_path=x.nemo', 'model.test_ds.batch_size=8', 'nautil.seed=3', 'trainer.precision=32'];
  const loaded = await loadConfig({ overrides: [...followed, ...ignored], cwd: process.cwd() });
  expect(ignoredOverrides(loaded, evaluationKeys).sort()).toEqual(ignored.sort());
});
