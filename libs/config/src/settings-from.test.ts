import { loadConfig } from './load-config.js';
import { settingsFrom } from './settings-from.js';

const load = (...overrides: string[]) => loadConfig({ overrides });

test("an empty tree has what NeMo's and Lightning's code take for keys that are left out", () => {
  const settings = settingsFrom({});
  expect(settings.trainer).toMatchObject({ devices: -1, accelerator: 'auto', maxEpochs: 1000, maxSteps: -1 });
  expect(settings.model.nemoPath).toBeNull();
  expect(settings.model.trainDs).toMatchObject({ batchSize: 64, shuffle: true, numSamples: -1, numWorkers: 0 });
  expect(settings.model.optim).toMatchObject({ name: 'adam', lr: 1e-3, weightDecay: 0, sched: null });
  expect(settings.expManager.name).toBe('default');
});

test.each<[string, number, boolean]>([
  ['1.0', 1, true],
  ['1', 1, false],
  ['0.25', 0.25, true],
  ['4', 4, false],
  ['null', 1, true],
])('a limit of %s batches', async (written, value, isFraction) => {
  const { settings, tree } = await load(
    `trainer.limit_train_batches=${written}`,
    `trainer.val_check_interval=${written}`,
  );
  expect(settings.trainer.limitTrainBatches).toEqual({ value, isFraction });
  expect(settings.trainer).toMatchObject({ valCheckInterval: value, valCheckIntervalIsFraction: isFraction });
  // A run stores the tree and reads it again.
  expect(settingsFrom(JSON.parse(JSON.stringify(tree)) as typeof tree)).toEqual(settings);
});

test.each<[string, string, number | number[]]>([
  ['auto', 'cpu', 1],
  ['auto', 'gpu', -1],
  ["'2'", 'gpu', 2],
  ["'0,2'", 'gpu', [0, 2]],
  ['[1]', 'cuda', [1]],
])('devices=%s on %s', async (devices, accelerator, read) => {
  const { settings } = await load(`trainer.devices=${devices}`, `trainer.accelerator=${accelerator}`);
  expect(settings.trainer).toMatchObject({ devices: read, accelerator: accelerator === 'cpu' ? 'cpu' : 'gpu' });
});

test('an optimizer has its own defaults, and none of the keys of another', async () => {
  const { settings } = await load('optim=sgd');
  expect(settings.model.optim).toMatchObject({ name: 'sgd', lr: 0.01, weightDecay: 0 });
  expect(settings.model.optim.extra).toEqual({ momentum: 0.9, dampening: 0, nesterov: false });
});

test('a schedule may be switched off', async () => {
  expect((await load('model.optim.sched=null')).settings.model.optim.sched).toBeNull();
});

test('what a schedule has beside the usual keys is kept', async () => {
  const { settings } = await load('model.optim.sched.name=CosineAnnealing', 'model.optim.sched.constant_steps=5');
  expect(settings.model.optim.sched).toMatchObject({ name: 'CosineAnnealing', extra: { constant_steps: 5 } });
});

test("MLflow's address may come from NeMo's key, and Nautil's goes before it", async () => {
  const nemo = 'exp_manager.mlflow_logger_kwargs.tracking_uri=http://nemo';
  expect((await load(nemo)).settings.nautil.mlflow.trackingUri).toBe('http://nemo');
  const both = await load(nemo, 'nautil.mlflow.tracking_uri=http://nautil');
  expect(both.settings.nautil.mlflow.trackingUri).toBe('http://nautil');
});
