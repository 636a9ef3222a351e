import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@nautil/config';
import { labelCounts, readExamples } from '@nautil/datasets';
import { goldenPath, testAccelerator } from '@nautil/testing';
import { buildTokenCache, loadTokenizer } from '@nautil/tokenization';
import type { TrainJob } from '../job.js';

/** A small real run for tests. */
export interface TinyRun {
  folder: string;

  /** A job of its own folder within `folder`. */
  job(name: string, overrides?: string[]): Promise<TrainJob>;
  remove(): Promise<void>;
}

/** @param o - the folder of the encoder, and the training sentences or pairs; default: golden's tiny BERT on golden's sentences */
export async function openTinyRun({
  model = goldenPath('bert-tiny-uncased'),
  tsv = goldenPath('nemo/traj_train.tsv'),
  pairs = false,
} = {}): Promise<TinyRun> {
  const folder = await mkdtemp(join(tmpdir(), 'nautil-training-'));
  const tokenizer = await loadTokenizer({ folder: model });
  const { numClasses } = await labelCounts(tsv, { pairs });
  const cache = join(folder, 'train.tokens');
  await buildTokenCache({ examples: examplesOf(tsv, pairs), pairs, out: cache, tokenizer, maxLength: 32, key: 'tiny' });
  return {
    folder,
    async job(name, overrides = []) {
      const { config } = await loadConfig({
        overrides: [
          `trainer.accelerator=${testAccelerator()}`,
          'trainer.max_epochs=2',
          'model.train_ds.batch_size=8',
          'model.validation_ds.batch_size=8',
          'model.optim.lr=1e-3',
          `model.dataset.num_classes=${numClasses}`,
          'nautil.checkpoint_every_n_steps=3',
          'trainer.limit_train_batches=5',
          'trainer.limit_val_batches=3',
          ...overrides,
        ],
      });
      return {
        config,
        folder: join(folder, name),
        trainCache: cache,
        validationCache: cache,
        encoder: { path: model },
        numClasses,
        digests: { data: 'tiny', overrides: overrides.join(' ') },
      };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function* examplesOf(tsv: string, pairs: boolean) {
  for await (const line of readExamples(tsv, { pairs })) if ('text' in line) yield line;
}
