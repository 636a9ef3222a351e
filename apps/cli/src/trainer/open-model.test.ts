import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { openTracker } from '@nautil/mlflow';
import { withFolder } from '@nautil/testing';
import { evaluationKeys } from '@nautil/training';
import { ignoredOverrides, openModel } from './open-model.js';

test('a path with the name of the run is no archive, and the error shows how to name one', async () => {
  const args = { overrides: ["model.nemo_path='models/{run}.nemo'"] };
  await expect(openModel(args, { cwd: process.cwd(), batchSize: () => 1, follows: [] })).rejects.toMatchObject({
    message: 'model.nemo_path is models/{run}.nemo: each run has an archive of its own, with its name for {run}',
    hint: 'add model.nemo_path=models/RUN.nemo with the name of a run; `npx nautil runs` lists the runs',
  });
});

test.each([
  ['mine.nemo', /^add model\.nemo_path=\S*mine\.nemo, the archive of run-1,/],
  ['my models (final).nemo', /^add 'model\.nemo_path="[^"]*my models \(final\)\.nemo"', the archive of run-1,/],
])('the error names the newest archive of the same experiment that is still there: %s', async (name, hint) => {
  await withFolder({ [name]: '' }, async (home) => {
    process.env['NAUTIL_HOME'] = home;
    for (const [run, experiment, file] of [
      ['run-1', 'reviews', name],
      ['run-2', 'reviews', 'removed.nemo'],
      ['run-3', 'others', name],
    ] as const) {
      const tracker = await openTracker({
        trackingUri: 'http://127.0.0.1:9',
        ...{ experiment, workflowId: run, runKey: 'key', tags: {}, connectTimeoutMs: 0 },
        journal: join(home, 'runs', run, 'mlflow.jsonl'),
        warn: () => undefined,
      });
      tracker.params({ 'model.nemo_path': join(home, file) });
      await tracker.finish('FINISHED', undefined, { timeoutMs: 0 });
      await tracker.close();
    }
    const args = { overrides: ["model.nemo_path='models/{run}.nemo'", 'exp_manager.name=reviews'] };
    await expect(openModel(args, { cwd: process.cwd(), batchSize: () => 1, follows: [] })).rejects.toMatchObject({
      hint: expect.stringMatching(hint),
    });
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
