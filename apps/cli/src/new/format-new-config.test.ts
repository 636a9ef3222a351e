import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { loadConfig } from '@nautil/config';
import { withFolder } from '@nautil/testing';
import { commandOf, formatNewConfig, type NewConfig } from './format-new-config.js';

const plain: NewConfig = {
  name: 'reviews',
  file: 'reviews.yaml',
  named: { data: 'reviews.csv', columns: {} },
  isFile: true,
  encoder: { model: 'all-MiniLM-L6-v2', preset: 'minilm', lr: 1e-4, lrFrom: 'the preset’s' },
  settings: { maxSeqLength: 56, batchSize: 16, accumulate: 1, maxEpochs: 8, patience: 2 },
  validationFraction: 0.1,
  isValidated: true,
  relabels: false,
  precision: '32',
  examples: 1000,
  classes: 2,
  percentile99: 50,
  longest: 60,
  isCounted: true,
};

const loaded = (config: NewConfig): ReturnType<typeof loadConfig> =>
  withFolder({}, async (folder) => {
    writeFileSync(join(folder, 'new.yaml'), formatNewConfig(config));
    return loadConfig({ configPath: folder, configName: 'new' });
  });

test('the configuration has the values that it was written from, and no key without effect', async () => {
  const { config, notes } = await loaded({ ...plain, settings: { ...plain.settings, accumulate: 2, batchSize: 8 } });
  expect(config.model).toMatchObject({
    language_model: { pretrained_model_name: 'all-MiniLM-L6-v2' },
    train_ds: { file_path: 'reviews.csv', batch_size: 8 },
    dataset: { max_seq_length: 56 },
    optim: { lr: 1e-4 },
  });
  expect(config.trainer).toMatchObject({ max_epochs: 8, accumulate_grad_batches: 2 });
  expect(config.exp_manager).toMatchObject({
    name: 'reviews',
    create_early_stopping_callback: true,
    early_stopping_callback_params: { monitor: 'val_f1_macro', mode: 'max', patience: 2 },
    checkpoint_callback_params: { monitor: 'val_f1_macro', mode: 'max', save_best_model: true },
  });
  expect(config.nautil.data.validation_fraction).toBe(0.1);
  expect(notes.filter((note) => !note.startsWith('trainer.precision=auto is'))).toEqual([]);
});

test('it has about a dozen lines of settings, each of which fits a wide terminal', () => {
  const lines = formatNewConfig(plain).trimEnd().split('\n');
  expect(lines.filter((line) => /^ +\w+:.* [^{]/.test(line)).length).toBeLessThan(15);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(130);
});

test('any names of files, columns, models and experiments are read back as they were', async () => {
  const name = fc.oneof(
    fc.constantFrom(
      'a b.csv',
      "it's.csv",
      '"q".csv',
      '$HOME.csv',
      '${model.x}.csv',
      '`id`',
      '-x',
      '文本',
      'null',
      '1',
      'on',
      '#1',
      'a: b',
      '1e5',
      '~x',
      '{}',
      '[a',
      '2026-11-27',
    ),
    fc.string({ minLength: 1 }).filter((text) => text.trim() !== '' && !/\\+\$\{/.test(text)),
  );
  const names = fc.record({ data: name, validation: name, text: name, label: name, model: name, experiment: name });
  await fc.assert(
    fc.asyncProperty(names, async ({ data, validation, text, label, model, experiment }) => {
      const { config } = await loaded({
        ...plain,
        name: experiment,
        named: { data, validation, columns: { text, label } },
        encoder: { model, lr: 2e-5, lrFrom: 'x' },
      });
      expect(config.model.train_ds.file_path).toBe(data);
      expect(config.model.validation_ds.file_path).toBe(validation);
      expect(config.nautil.data).toMatchObject({ text_column: text, label_column: label });
      expect(config.model.language_model.pretrained_model_name).toBe(model);
      expect(config.exp_manager.name).toBe(experiment);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['reviews.yaml', 'npx nautil run reviews.yaml'],
  ['my reviews.yaml', "npx nautil run 'my reviews.yaml'"],
  ['-x.yaml', 'npx nautil run ./-x.yaml'],
  ["it's $HOME.yaml", String.raw`npx nautil run 'it'\''s $HOME.yaml'`],
])('the command that trains with %s is %s', (file, command) => {
  expect(commandOf(file)).toBe(command);
});
