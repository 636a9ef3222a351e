import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { isSwitchedOff, requireBatches } from './require-batches.js';

async function check(overrides: string[], examples: Parameters<typeof requireBatches>[1]): Promise<void> {
  const { config } = await loadConfig({ overrides });
  requireBatches(config, examples);
}

const plateau = ['model.optim.sched.name=ReduceLROnPlateau'];
const ten = { train: 10, validation: 10, test: 10 };

describe('a run without a batch to train or to evaluate on is rejected before it trains, with the key and the numbers', () => {
  test.each([
    [['trainer.max_epochs=0'], /max_epochs=0 trains nothing/],
    [['trainer.max_steps=0'], /max_steps=0 trains nothing/],
    [
      ['trainer.limit_train_batches=0', 'model.train_ds.batch_size=2'],
      /limit_train_batches=0 of 5 batches is no batch/,
    ],
    [['trainer.limit_val_batches=0.001', 'model.validation_ds.batch_size=1'], /limit_val_batches=0.001 of 10 batches/],
    [['trainer.limit_test_batches=0.1', 'model.test_ds.batch_size=2'], /limit_test_batches=0.1 of 5 batches/],
    [['model.train_ds.drop_last=true', 'model.train_ds.batch_size=11'], /10 examples do not fill one of batch_size 11/],
    [
      ['model.validation_ds.drop_last=true', 'model.validation_ds.batch_size=11'],
      /model.validation_ds: drop_last=true/,
    ],
    [['model.test_ds.drop_last=true', 'model.test_ds.batch_size=11'], /model.test_ds: drop_last=true/],
  ])('%j', async (overrides, message) => {
    await expect(check(overrides, ten)).rejects.toMatchObject({
      name: 'NoBatches',
      kind: 'config',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/^set (trainer|model)\./),
    });
  });
});

test.each([
  ['one batch', ['trainer.limit_train_batches=1']],
  ['a fraction of one batch exactly', ['trainer.limit_train_batches=0.1', 'model.train_ds.batch_size=1']],
  ['more accumulated batches than there are', ['trainer.accumulate_grad_batches=99']],
  ['validation and test switched off', ['trainer.limit_val_batches=0', 'trainer.limit_test_batches=0']],
])('%s is enough', async (_, overrides) => {
  await expect(check(overrides, ten)).resolves.toBeUndefined();
});

describe('an interval of validations that no epoch reaches is rejected before training, as in Lightning', () => {
  test.each([
    [
      ['trainer.val_check_interval=6', 'model.train_ds.batch_size=2'],
      /val_check_interval=6 is more than the 5 training/,
    ],
    [
      ['trainer.val_check_interval=2', 'trainer.limit_train_batches=1'],
      /val_check_interval=2 is more than the 1 training/,
    ],
    [
      ['trainer.val_check_interval=3', 'model.train_ds.batch_size=4', 'model.train_ds.drop_last=true'],
      /val_check_interval=3 is more than the 2 training/,
    ],
  ])('%j', async (overrides, message) => {
    await expect(check(overrides, ten)).rejects.toMatchObject({
      name: 'NoBatches',
      message: expect.stringMatching(message),
    });
    await expect(check(overrides, { train: 10 })).resolves.toBeUndefined();
  });

  test.each([['5'], ['1.0'], ['0.01'], ['1']])('%s of 5 batches is reached', async (interval) => {
    const overrides = [`trainer.val_check_interval=${interval}`, 'model.train_ds.batch_size=2'];
    await expect(check(overrides, ten)).resolves.toBeUndefined();
  });
});

describe('a setting that depends on validations is rejected before a run without validation trains', () => {
  test.each([
    [['exp_manager.checkpoint_callback_params.save_best_model=true']],
    [['exp_manager.create_early_stopping_callback=true']],
    [plateau],
  ])('%j', async (overrides) => {
    const rejection = { name: 'NoValidation', kind: 'config', message: expect.stringContaining(overrides[0]!) };
    await expect(check(overrides, { train: 10, test: 10 })).rejects.toMatchObject(rejection);
    await expect(check([...overrides, 'trainer.limit_val_batches=0'], ten)).rejects.toMatchObject(rejection);
    await expect(check(overrides, ten)).resolves.toBeUndefined();
  });
});

describe('a setting that depends on validations is rejected in a run that ends before the first one', () => {
  const best = 'exp_manager.checkpoint_callback_params.save_best_model=true';
  const fiveBatches = 'model.train_ds.batch_size=2';
  test.each([
    [['trainer.max_steps=4'], 5],
    [['trainer.max_steps=1', 'trainer.accumulate_grad_batches=2'], 3],
    [['trainer.max_steps=1', 'trainer.val_check_interval=0.5'], 2],
    [['trainer.max_steps=2', 'trainer.val_check_interval=3'], 3],
  ])('%j', async (overrides, steps) => {
    for (const setting of [best, 'exp_manager.create_early_stopping_callback=true', ...plateau])
      await expect(check([setting, fiveBatches, ...overrides], ten)).rejects.toMatchObject({
        name: 'NoValidation',
        message: expect.stringContaining(`${overrides[0]!} ends the run before the first one, after ${steps} steps`),
      });
    await expect(check([fiveBatches, ...overrides], ten)).resolves.toBeUndefined();
    const enough = [best, fiveBatches, ...overrides.slice(1), `trainer.max_steps=${steps}`];
    await expect(check(enough, ten)).resolves.toBeUndefined();
  });
});

test('a limit of 0 switches a split off, and no other limit does', async () => {
  const { config } = await loadConfig({ overrides: ['trainer.limit_val_batches=0'] });
  expect(isSwitchedOff('validation', config)).toBe(true);
  expect(isSwitchedOff('test', config)).toBe(false);
});
