import { expect, test } from '@jest/globals';
import { batchesIn } from './batch-amount.js';
import { loadConfig } from './load-config.js';
import { readConfig } from './read-config.js';
import { optimizerOptions } from './schema/optimizers.js';

const load = (...overrides: string[]) => loadConfig({ overrides });

test("an empty tree gets the values that NeMo's and Lightning's code use for missing keys", () => {
  const config = readConfig({});
  expect(config.trainer).toMatchObject({ devices: 'auto', accelerator: 'auto', max_epochs: 1000, max_steps: -1 });
  expect(config.model.nemo_path).toBeNull();
  expect(config.model.train_ds).toMatchObject({ batch_size: 64, shuffle: true, num_samples: -1, num_workers: 0 });
  expect(config.model.optim).toEqual({ name: 'adam', sched: null });
  expect(config.exp_manager.name).toBe('default');
});

test.each<[string, number]>([
  ['1.0', 40],
  ['1', 1],
  ['0.25', 10],
  ['4', 4],
  ['null', 40],
])('a limit of %s is %d of 40 batches, also after the tree was stored as JSON', async (written, batches) => {
  const { config, tree } = await load(
    `trainer.limit_train_batches=${written}`,
    `trainer.val_check_interval=${written}`,
  );
  expect(batchesIn(config.trainer.limit_train_batches, 40)).toBe(batches);
  expect(batchesIn(config.trainer.val_check_interval, 40)).toBe(batches);
  expect(readConfig(JSON.parse(JSON.stringify(tree)) as typeof tree)).toEqual(config);
});

test('an optimizer has its own defaults, and no keys of another one', async () => {
  const { config } = await load('optim=sgd');
  const options = { lr: 0.01, momentum: 0.9, dampening: 0, nesterov: false, weight_decay: 0 };
  expect(optimizerOptions(config.model.optim)).toEqual(options);
});

test('null disables the schedule', async () => {
  expect((await load('model.optim.sched=null')).config.model.optim.sched).toBeNull();
});

test('a schedule keeps the keys that it takes', async () => {
  const { config } = await load('model.optim.sched.name=CosineAnnealing', 'model.optim.sched.constant_steps=5');
  expect(config.model.optim.sched).toMatchObject({ name: 'CosineAnnealing', constant_steps: 5 });
});
