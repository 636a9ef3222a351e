import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readNemo } from '@nautil/formats/nemo';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { programEnvironment } from './testing/program-environment.js';

// Continues a training whose best epoch was its first, after everything outside the run's own folder has changed.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nautil-resumed-'));
  const lines = (await readFile(goldenPath('nemo/traj_train.tsv'), 'utf8')).split('\n').slice(0, 40);
  await writeFile(join(folder, 'train.tsv'), lines.map((line) => `${line}\n`).join(''));
  // With the labels of other texts, no later epoch has a lower loss than the first.
  const flipped = lines.map((line) => line.replace(/\d$/, (label) => (label === '0' ? '1' : '0')));
  await writeFile(join(folder, 'dev.tsv'), flipped.map((line) => `${line}\n`).join(''));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Trains up to an epoch, from the newest checkpoint in the experiment's folder. Returns the loss of the packaged weights. */
async function trainTo(epochs: number, home: string): Promise<unknown> {
  const overrides = [
    'trainer.accelerator=cpu',
    `trainer.max_epochs=${epochs}`,
    'model.train_ds.file_path=train.tsv',
    'model.validation_ds.file_path=dev.tsv',
    'model.nemo_path=model.nemo',
    `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
    'model.optim.lr=1e-2',
    'exp_manager.explicit_log_dir=experiment',
    'exp_manager.resume_if_exists=true',
    'exp_manager.resume_ignore_no_checkpoint=true',
    'exp_manager.checkpoint_callback_params.save_best_model=true',
  ];
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  await promisify(execFile)(process.execPath, [program, 'train', ...overrides], {
    env: {
      ...process.env,
      ...programEnvironment(join(folder, home)),
      INIT_CWD: folder,
      MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', // the discard port, where nothing listens
    },
  });
  const archive = await readNemo(join(folder, 'model.nemo'));
  await archive.close();
  return (archive.record?.['metrics'] as { loss: number }).loss;
}

test('a resumed run packages the earlier best weights, also without the earlier run and after the state folder has moved', async () => {
  const loss = await trainTo(1, 'state');
  await rename(join(folder, 'state'), join(folder, 'moved'));
  expect(await trainTo(2, 'moved')).toBe(loss);

  // As garbage collection does.
  await rm(join(folder, 'moved/runs'), { recursive: true });
  expect(await trainTo(3, 'moved')).toBe(loss);
}, 300_000);
