import { expect, test } from '@jest/globals';
import { ignoredOverrides } from './open-model.js';

test('an override of what the archive determines has no effect, and is noted', () => {
  const ignored = ['model.dataset.num_classes=8', 'model.language_model.pretrained_model_name=bert-base-cased'];
  const followed = ['model.nemo_path=x.nemo', 'model.test_ds.file_path=test.tsv', 'trainer.precision=32'];
  expect(ignoredOverrides([...followed, ...ignored])).toEqual(ignored);
});
