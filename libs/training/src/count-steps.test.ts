import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { countSteps } from './count-steps.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainClassifier } from './train.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

const short = 'trainer.limit_train_batches=5';

test.each([
  ['two epochs', [short]],
  ['no checkpoints between evaluations', [short, 'nautil.checkpoint_every_n_steps=0']],
  ['accumulated batches, of which the last step of an epoch has fewer', [short, 'trainer.accumulate_grad_batches=2']],
  ['evaluations within an epoch', [short, 'trainer.val_check_interval=2']],
  [
    'evaluations between accumulated batches',
    [short, 'trainer.val_check_interval=1', 'trainer.accumulate_grad_batches=3'],
  ],
  ['steps that end within an epoch', [short, 'trainer.max_steps=7']],
  ['batches that are dropped', ['model.train_ds.batch_size=5', 'model.train_ds.drop_last=true']],
  ['two devices', ['trainer.devices=2', 'model.train_ds.batch_size=3']],
])(
  'the steps, evaluations and checkpoints of a training are those that are counted before it: %s',
  async (name, overrides) => {
    const job = await tiny.job(name, overrides);
    let rows = 0;
    let stepsPerEpoch = 0;
    const seen = { steps: 0, evaluations: 0 };
    const checkpoints = new Set<number>();
    await trainClassifier(job, {
      onProgress: (event) => {
        if (event.type === 'start') ({ trainExamples: rows, stepsPerEpoch } = event);
        if (event.type === 'step') seen.steps += 1;
        if (event.type === 'eval') seen.evaluations += 1;
      },
      onCommitted: ({ step }) => void checkpoints.add(step),
    });
    const { devices } = job.config.trainer;
    const counts = countSteps(job.config, { rows, validates: true, devices: devices === 2 ? 2 : 1 });
    expect(counts).toMatchObject({ ...seen, stepsPerEpoch, total: seen.steps, checkpoints: checkpoints.size });
  },
);

test('what an earlier run has done is not counted again', async () => {
  const { config } = await tiny.job('done', [short]);
  const of = { rows: 40, validates: true, devices: 1 };
  expect(countSteps(config, of)).toMatchObject({ total: 10, steps: 10, evaluations: 2 });
  expect(countSteps(config, { ...of, done: 5 })).toMatchObject({ total: 10, steps: 5, evaluations: 1 });
  expect(countSteps(config, { ...of, done: 10 })).toMatchObject({ steps: 0, evaluations: 0, checkpoints: 0 });
});
