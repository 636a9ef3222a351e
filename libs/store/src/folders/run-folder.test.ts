import { expect, test } from '@jest/globals';
import { folderName, runFolder, runsFolder } from './run-folder.js';

test('the folders of runs are in the state folder, and different runs have different folders', () => {
  expect(runsFolder('/state')).toBe('/state/runs');
  const folders = [
    ['a', '1'],
    ['a', '2'],
    ['a/1', '1'],
    ['../../etc', '1'],
  ].map(([id = '', key = '']) => runFolder(id, key, '/state'));
  expect(new Set(folders).size).toBe(4);
  for (const folder of folders) expect(folder).toMatch(/^\/state\/runs\/[A-Za-z0-9_~.-]+$/);
});

test('any key becomes one folder name, and different keys become different names', () => {
  expect(folderName('my-run_1.2')).toBe('my-run_1.2');
  const keys = ['../../etc', 'a/b', 'a-b', 'a b', '', '.', '..', 'ü', 'x'.repeat(300), `${'x'.repeat(299)}y`];
  const names = keys.map(folderName);
  expect(new Set(names).size).toBe(keys.length);
  for (const name of names) expect(name).toMatch(/^(?!\.+$)[A-Za-z0-9_~.-]{1,100}$/);
});
