import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { UsageError } from '@nautil/contracts';
import { withFolder } from '@nautil/testing';
import { EnvironmentValues } from './environment-values.js';
import { loadConfig, type LoadedConfig } from './load-config.js';
import { printConfig } from './print-config.js';
import { readConfig } from './read-config.js';
import { revealTree } from './reveal-tree.js';

const marker = 'Secret-Marker-4711';
const env = { SECRET: marker, LR: '0.125', FLAG: 'true', NAME: 'nautil.seed', PART: 'SECRET', EMPTY: '' };
const base = ['model.train_ds.file_path=a.tsv'];
const load = (overrides: string[], o: { allowedEnv?: string[] } = {}): Promise<LoadedConfig> =>
  loadConfig({ overrides: [...base, ...overrides], env, ...o });

test.each([
  ['a value', ['exp_manager.name=${oc.env:SECRET}'], 'exp_manager.name', marker, '${oc.env:SECRET}'],
  [
    'a part of a text',
    ['exp_manager.name="a-${oc.env:SECRET}-b"'],
    'exp_manager.name',
    `a-${marker}-b`,
    'a-${oc.env:SECRET}-b',
  ],
  ['a value with a default', ['exp_manager.name=${oc.env:SECRET,x}'], 'exp_manager.name', marker, '${oc.env:SECRET,x}'],
  [
    'a default from the environment',
    ['exp_manager.name="${oc.env:NONE,${oc.env:SECRET}}"'],
    'exp_manager.name',
    marker,
    '${oc.env:NONE,${oc.env:SECRET}}',
  ],
  [
    'a reference to a value',
    ['exp_manager.name="1${oc.env:SECRET}"', 'nautil.mlflow.experiment="2${exp_manager.name}"'],
    'nautil.mlflow.experiment',
    `21${marker}`,
    '21${oc.env:SECRET}',
  ],
  ['a number', ['model.optim.lr="${oc.decode:${oc.env:LR}}"'], 'model.optim.lr', 0.125, '${oc.decode:${oc.env:LR}}'],
  [
    'true or false',
    ['model.dataset.use_cache="${oc.decode:${oc.env:FLAG}}"'],
    'model.dataset.use_cache',
    true,
    '${oc.decode:${oc.env:FLAG}}',
  ],
  [
    'a name of a variable',
    ['exp_manager.name="${oc.env:${oc.env:PART}}"'],
    'exp_manager.name',
    marker,
    '${oc.env:${oc.env:PART}}',
  ],
  ['a name of a key', ['trainer.max_steps="${${oc.env:NAME}}"'], 'trainer.max_steps', 42, '${${oc.env:NAME}}'],
  [
    'an item of a list',
    ['model.infer_samples=[a, "b \\${oc.env:X} ${oc.env:SECRET}"]'],
    'model.infer_samples.1',
    `b \${oc.env:X} ${marker}`,
    'b \\${oc.env:X} ${oc.env:SECRET}',
  ],
])(
  '%s from the environment is used, and its reference is stored; it loads again',
  async (_, overrides, key, value, shown) => {
    const loaded = await load(overrides);
    const at = (tree: object): unknown =>
      key.split('.').reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], tree);
    expect(at(loaded.config)).toBe(value);
    expect(at(loaded.tree)).toBe(shown);
    expect(loaded.fromEnvironment.keys).toContain(key);
    const stored = JSON.stringify([loaded.tree, loaded.notes, loaded.yaml, loaded.fromEnvironment]);
    if (typeof value === 'string') expect(stored).not.toContain(marker);
    expect(readConfig(revealTree(loaded.tree, loaded.fromEnvironment, env))).toEqual(loaded.config);

    await withFolder({}, async (folder) => {
      writeFileSync(join(folder, 'saved.yaml'), printConfig(loaded.tree, loaded.fromEnvironment));
      const again = await loadConfig({ configPath: folder, configName: 'saved', env });
      expect(again.config).toEqual(loaded.config);
      expect(again.tree).toEqual(loaded.tree);
    });
  },
);

describe('with a list of allowed variables', () => {
  test('a variable in the list is read', async () => {
    expect(
      (await load(['exp_manager.name=${oc.env:SECRET}'], { allowedEnv: ['SECRET'] })).config.exp_manager.name,
    ).toBe(marker);
  });

  test.each([
    'exp_manager.name=${oc.env:SECRET}',
    'exp_manager.name=${oc.env:NONE}',
    'exp_manager.name=${oc.env:NONE,default}',
    'exp_manager.name="${oc.env:${oc.env:PART}}"',
    'model.optim.lr="${oc.decode:${oc.env:LR}}"',
    '+x=${oc.env:SECRET}',
  ])('any other is refused, whether it is set or not: %s', async (override) => {
    await expect(load([override], { allowedEnv: ['PART'] })).rejects.toMatchObject({
      name: 'ConfigError',
      retryable: false,
      message: expect.stringContaining('this worker does not read ${oc.env:'),
      hint: expect.stringContaining('NAUTIL_ENV_ALLOWED'),
    });
  });
});

test.each([
  'trainer.max_epochs=${oc.env:SECRET}',
  'trainer.max_epochs="${oc.env:SECRET} epochs"',
  'trainer.precision=${oc.env:SECRET}',
  'model.optim.lr="${oc.decode:[${oc.env:SECRET}}"',
  'exp_manager.name="${${oc.env:SECRET}}"',
  'exp_manager.name="${model.${oc.env:SECRET}}"',
  'exp_manager.name="${oc.none:${oc.env:SECRET}}"',
  'exp_manager.name="${oc.env:${oc.env:SECRET}}"',
])('an error about a value from the environment does not contain it: %s', async (override) => {
  const error: unknown = await load([override]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'ConfigError' });
  expect(JSON.stringify([(error as Error).message, (error as { hint?: string }).hint, error])).not.toContain(marker);
});

test('a folder with a known place in it is no secret, whatever the name of the place', () => {
  for (const place of ['/home/alice', '/home/alice/..x', '/home/alice/a/b']) {
    const values = new EnvironmentValues(['HOME'], { values: { HOME: '/home/alice' }, places: [place] });
    expect(values.conceal('in /home/alice')).toBe('in /home/alice');
  }
});

test('texts with values of the environment show references, and the values again when they are revealed', () => {
  const values = new EnvironmentValues(['SECRET', 'LONGER', 'SHORT', 'HOME', 'NONE'], {
    values: { SECRET: 'abcd', LONGER: 'abcdef', SHORT: 'ab', HOME: '/home/alice' },
    places: ['/home/alice/nautil'],
  });
  const text = { a: ['x/abcdef/abcd', 1, null], b: '/home/alice ab' };
  const concealed = { a: ['x/${oc.env:LONGER}/${oc.env:SECRET}', 1, null], b: '/home/alice ab' };
  expect(values.conceal(text)).toEqual(concealed);
  expect(values.reveal(concealed)).toEqual(text);
  expect(values.reveal('${oc.env:NONE} ${oc.env:PATH}')).toBe('${oc.env:NONE} ${oc.env:PATH}');

  const error = values.concealError(new UsageError('no abcd', { hint: 'try abcdef', cause: new Error('abcd') }));
  expect(error).toBeInstanceOf(UsageError);
  expect(error).toMatchObject({
    message: 'no ${oc.env:SECRET}',
    hint: 'try ${oc.env:LONGER}',
    kind: 'usage',
    cause: { message: '${oc.env:SECRET}' },
  });
  expect((error as Error).stack).not.toContain('abcd');
  const other = new UsageError('no secret', { cause: new Error('none here') });
  expect(values.concealError(other)).toBe(other);
  const inCause = values.concealError(new Error('failed', { cause: new Error('abcd') }));
  expect(inCause).toMatchObject({ message: 'failed', cause: { message: '${oc.env:SECRET}' } });
});
