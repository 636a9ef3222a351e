import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { shippedFolder } from './config-search-path.js';
import { loadConfig } from './load-config.js';
import { printConfig, wholeFloats } from './print-config.js';
import { optimizers } from './schema/optimizers.js';
import { schedules } from './schema/schedules.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-printed-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Loads a tree from the file to which it is printed. */
async function reloaded(tree: JsonObject): Promise<JsonObject> {
  writeFileSync(join(folder, 'saved.yaml'), printConfig(tree));
  return (await loadConfig({ configPath: folder, configName: 'saved', overrides: [] })).tree;
}

const namesIn = (path: string): string[] =>
  readdirSync(join(shippedFolder(), path))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => basename(name, '.yaml'));

/** Values that some groups require. */
const needed = ['nautil.data.source=data', 'model.language_model.lm_checkpoint=weights.pt'];
const groups = ['data', 'model', 'optim', 'trainer'].flatMap((group) =>
  namesIn(group).map((name) => `${group}=${name}`),
);
const withSchedule = (name: string): string[] => {
  const values = {
    step_size: 2,
    gamma: 1.0,
    d_model: 8,
    constant_steps: 2,
    base_lr: 0,
    max_lr: 1,
    cycle_momentum: false,
  };
  const needs = 'needs' in schedules[name as keyof typeof schedules] ? schedules[name as 'StepLR'].needs : [];
  return [
    `model.optim.sched.name=${name}`,
    ...needs.map((key) => `+model.optim.sched.${key}=${String(values[key as keyof typeof values])}`),
  ];
};

test.each([
  ...namesIn('.').map((name) => [name, []] as const),
  ...groups.map((group) => ['text_classification_config', [group, ...needed]] as const),
  ...Object.keys(optimizers).map((name) => ['text_classification_config', [`model.optim.name=${name}`]] as const),
  ...Object.keys(schedules).map((name) => ['text_classification_config', withSchedule(name)] as const),
  ...[
    'trainer.val_check_interval=1',
    'trainer.val_check_interval=1.0',
    'trainer.limit_val_batches=0.25',
    'trainer.limit_test_batches=20',
    'trainer.limit_test_batches=0',
    'trainer.limit_test_batches=null',
    'trainer.devices=[0]',
    "trainer.devices='1'",
    "trainer.precision='32'",
    'model.optim.betas=[0,0.5]',
    'model.optim.lr=1',
    'model.optim.lr=1e-7',
    "exp_manager.version='1'",
    'exp_manager.version=1',
    "exp_manager.name='1.0'",
    "exp_manager.name='yes'",
    "exp_manager.name='a: b # c'",
    "model.infer_samples=['\\${oc.env:HOME}', '\\\\\\${x}', '', ' ', 'null', '  two\tspaces ', '1']",
    'model.language_model.config={model_type: bert, layer_norm_eps: 1.0, hidden_size: 8}',
    `model.infer_samples=["${'a long text, which YAML folds; '.repeat(9)}"]`,
  ].map((override) => ['text_classification_config', [override]] as const),
])('a printed configuration loads as the same values: %s %j', async (configName, overrides) => {
  const { tree } = await loadConfig({ configName, overrides: [...overrides], cwd: folder });
  expect(await reloaded(tree)).toEqual(tree);
});

test('a fraction of 1.0 and one batch differ in YAML and in the texts of whole floats', async () => {
  const load = async (value: string): Promise<JsonObject> =>
    (
      await loadConfig({
        overrides: ['val_check_interval', 'limit_train_batches'].map((key) => `++trainer.${key}=${value}`),
      })
    ).tree;
  const [all, one, some] = [await load('1.0'), await load('1'), await load('20')];
  expect([all, one, some].map((tree) => /val_check_interval: .*/.exec(printConfig(tree))?.[0])).toEqual([
    'val_check_interval: 1.0',
    'val_check_interval: 1',
    'val_check_interval: 20',
  ]);
  expect([all, one, some].map((tree) => wholeFloats(tree)['trainer.limit_train_batches'])).toEqual([
    '1.0',
    undefined,
    undefined,
  ]);
});
