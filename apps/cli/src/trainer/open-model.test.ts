import { expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { evaluationKeys } from '@nautil/training';
import { ignoredOverrides } from './open-model.js';

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
