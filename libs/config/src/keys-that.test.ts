import { beforeAll, expect, test } from '@jest/globals';
import { type JsonObject, withValueAt } from '@nautil/contracts';
import { keysAffecting, keysThat } from './keys-that.js';
import { loadConfig } from './load-config.js';
import { readConfig } from './read-config.js';
import { type Config, configSchema } from './schema/config-schema.js';
import { leaves } from './schema/lookup.js';

const keys = [...leaves(configSchema)].map(({ path, node }) => ({ key: path.join('.'), node }));
const results = ['inputs', 'training', 'evaluation', 'package'] as const;

let shipped: JsonObject;
beforeAll(async () => {
  ({ tree: shipped } = await loadConfig({}));
});

/** The shipped configuration with another value of one key; the value need not be valid. */
const changed = (key: string): Config => readConfig(withValueAt(shipped, key, 'another value'));

test('every key states what it affects, and a key without effect affects no computation', () => {
  const wrong = keys.filter(({ node }) => {
    const { affects, noEffect } = node;
    return affects === undefined || (noEffect !== undefined && affects !== 'nothing' && affects !== 'package');
  });
  expect(wrong.map(({ key }) => key)).toEqual([]);
  expect(keys.length).toBeGreaterThan(200);
});

test('another value changes the digest of the part that the key affects, and of no other part', () => {
  const usual = readConfig(shipped);
  const moved = keys.flatMap(({ key, node }) => {
    const config = changed(key);
    const parts = results.filter((part) => {
      const valuesIn = (from: Config) => JSON.stringify(keysAffecting([part], from, { paths: true }));
      return valuesIn(config) !== valuesIn(usual);
    });
    const expected = node.affects === 'nothing' ? [] : [node.affects];
    return JSON.stringify(parts) === JSON.stringify(expected) ? [] : [{ key, parts, expected }];
  });
  expect(moved).toEqual([]);
});

test('without paths, the digest does not depend on where files are', () => {
  const paths = keysThat(({ path }) => path !== undefined);
  expect(paths).toContain('model.train_ds.file_path');
  const usual = keysAffecting(results, readConfig(shipped), { paths: false });
  const dependent = paths.filter(
    (key) => JSON.stringify(keysAffecting(results, changed(key), { paths: false })) !== JSON.stringify(usual),
  );
  expect(dependent).toEqual([]);
});
