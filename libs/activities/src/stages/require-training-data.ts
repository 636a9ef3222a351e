import type { Config } from '@nautil/config';
import { defineError } from '@nautil/contracts';

/** The configuration names nothing to train on. */
class NoTrainingData extends defineError('NoTrainingData', 'config') {}

/** @throws NoTrainingData */
export function requireTrainingData({ model, nautil }: Config): void {
  if (model.train_ds.file_path !== null || nautil.data.source !== null) return;
  throw new NoTrainingData('model.train_ds.file_path is not set: there is nothing to train on', {
    hint: 'add model.train_ds.file_path=train.tsv, or a data set such as data=sst-2',
  });
}
