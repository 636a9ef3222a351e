import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { loadConfig } from './load-config.js';
import { modelPresets } from './model-presets.js';

const folder = fileURLToPath(new URL('../../../conf/model/', import.meta.url));
const names = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ''));

/** What a preset needs besides. */
const companions: Readonly<Record<string, string[]>> = {
  'megatron-bert-345m-uncased': ['model.language_model.lm_checkpoint=model_optim_rng.pt'],
};

describe.each(names)('model=%s', (name) => {
  const text = readFileSync(`${folder}${name}.yaml`, 'utf8');

  test('states layers, width, weights and licence', () => {
    expect(text).toMatch(/^# .*\d+ layers.*, [\d,]+ wide, [\d.]+ M weights.*\.\n# (.*\n# )?Licence: .+\.\n/);
  });

  test('has an encoder and a learning rate with its source, which an override replaces', async () => {
    expect(text).toMatch(/^ {2}lr: \S+ # \S/m);
    const own = [`model=${name}`, ...(companions[name] ?? [])];
    const { config } = await loadConfig({ overrides: own });
    expect(config.model.language_model.pretrained_model_name).toBeTruthy();
    expect(config.model.optim.lr).toBe(Number(/lr: (\S+)/.exec(text)![1]));
    const { config: other } = await loadConfig({ overrides: ['model.optim.lr=0.5', ...own] });
    expect(other.model.optim.lr).toBe(0.5);
  });
});

test('the presets are listed with the model and the learning rate that a run has, except for those that need a checkpoint', async () => {
  const listed = await modelPresets();
  expect(listed.map(({ name }) => name)).toEqual(names.filter((name) => companions[name] === undefined).sort());
  for (const { name, model, lr } of listed) {
    const { config } = await loadConfig({ overrides: [`model=${name}`] });
    expect({ name, model, lr }).toEqual({
      name,
      model: config.model.language_model.pretrained_model_name,
      lr: config.model.optim.lr,
    });
  }
});
