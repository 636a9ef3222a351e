import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { namedConfiguration } from './named-configuration.js';

const named = async (args: string[], flags = {}): Promise<unknown> =>
  withFolder({ 'reviews.yaml': '{}', 'a=b/my reviews.yaml': '{}', 'old.yml': '{}' }, async (folder) => {
    const before = process.env['INIT_CWD'];
    process.env['INIT_CWD'] = folder;
    try {
      return await Promise.resolve(namedConfiguration(args, flags));
    } finally {
      if (before === undefined) delete process.env['INIT_CWD'];
      else process.env['INIT_CWD'] = before;
    }
  });

test.each([
  [
    ['reviews.yaml', 'trainer.max_epochs=1'],
    { configPath: '.', configName: 'reviews', overrides: ['trainer.max_epochs=1'] },
  ],
  [
    ['trainer.max_epochs=1', './reviews.yaml'],
    { configPath: '.', configName: 'reviews', overrides: ['trainer.max_epochs=1'] },
  ],
  [['a=b/my reviews.yaml'], { configPath: 'a=b', configName: 'my reviews', overrides: [] }],
  [['model.language_model.config_file=x.yaml'], { overrides: ['model.language_model.config_file=x.yaml'] }],
])('%j is a file and overrides', async (args, expected) => {
  expect(await named(args)).toEqual(expected);
});

test('options name a configuration without a file', async () => {
  const flags = { configPath: 'conf', configName: 'sst2' };
  expect(await named(['data=imdb'], { ...flags, json: true })).toEqual({ ...flags, overrides: ['data=imdb'] });
});

test.each([
  [
    'a file that does not exist, though Nautil has a configuration of that name',
    ['sst2.yaml'],
    {},
    /^sst2\.yaml does not exist/,
  ],
  ['another extension', ['old.yml'], {}, /ends in \.yaml/],
  ['two files', ['reviews.yaml', 'other.yaml'], {}, /^reviews\.yaml is a configuration, and other\.yaml names another/],
  ['a file and an option', ['reviews.yaml'], { configName: 'sst2' }, /and sst2 names another/],
])('%s is an error', async (_, args, flags, message) => {
  await expect(named(args, flags)).rejects.toThrow(message);
});
