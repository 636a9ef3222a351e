import { join, relative } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { goldenFiles, goldenPath, GoldenSet, goldenSetWith, readGoldenJson } from './golden-set.js';
import { chosenGoldenSet, goldenSets } from './golden-sets.cjs';
import { withFolder } from './with-folder.js';

const workspace = join(import.meta.dirname, '../../..');
const committed = join(workspace, 'tests/golden');
const shared = join(workspace, '../shared/golden');

const environment = process.env['GOLDEN'];
afterEach(() => {
  process.env['GOLDEN'] = environment;
});

test('GOLDEN names the set, relative to the workspace root', () => {
  process.env['GOLDEN'] = 'tests/golden';
  expect(chosenGoldenSet()).toBe(committed);
  expect(goldenPath('bert-tiny-uncased', 'config.json')).toBe(join(committed, 'bert-tiny-uncased/config.json'));
});

test('the committed set is always among the sets, and the last of them', () => {
  delete process.env['GOLDEN'];
  expect([shared, committed]).toContain(chosenGoldenSet());
  expect(goldenSets().at(-1)).toBe(committed);
});

test('a folder that does not exist is refused by its name', () => {
  process.env['GOLDEN'] = 'no/such/folder';
  expect(() => goldenPath('traj_batches.json')).toThrow(/GOLDEN names .*no\/such\/folder, which does not exist/);
});

test('a set lends the parts that it lacks from the next set, and nothing else', () =>
  withFolder({ 'hf_parity.json': '{"sentences": []}', 'nemo-files/lr_golden.json': '"own"' }, (folder) => {
    process.env['GOLDEN'] = folder;
    expect(readGoldenJson('hf_parity.json')).toEqual({ sentences: [] });
    expect(readGoldenJson('nemo-files', 'lr_golden.json')).toBe('own');
    const lent = goldenPath('nemo/run_artifacts/cmd-args.log');
    expect([shared, committed]).toContain(join(lent, '../../..'));
    expect(goldenPath('nemo/tiny_bert.nemo')).toBe(join(folder, 'nemo/tiny_bert.nemo'));
    expect(() => goldenFiles('nemo-files', '.nemo')).toThrow(/nemo-files has no file that ends in \.nemo/);
    return Promise.resolve();
  }));

test('parts that belong together come from one set', () =>
  withFolder({ 'nemo-files/import_sha256.txt': '' }, (folder) => {
    process.env['GOLDEN'] = folder;
    const both = goldenSetWith('nemo-files', 'raw-data');
    expect(both.folder).not.toBe(folder);
    expect(both.has('nemo-files') && both.has('raw-data')).toBe(true);
    return Promise.resolve();
  }));

test('raw data is in the set, or in a folder data beside it', () =>
  withFolder({ 'inside/raw-data/a.txt': '', 'outside/b.txt': '', 'data/a.txt': '' }, (folder) => {
    const path = (set: string) => relative(folder, new GoldenSet(join(folder, set)).path('raw-data', 'a.txt'));
    expect(path('inside')).toBe('inside/raw-data/a.txt');
    expect(path('outside')).toBe('data/a.txt');
    return Promise.resolve();
  }));

test('every golden folder that tests read is in the committed set', () => {
  process.env['GOLDEN'] = 'tests/golden';
  const set = goldenSetWith('nemo-files', 'nemo/run_artifacts', 'raw-data');
  expect(set.folder).toBe(committed);
});
