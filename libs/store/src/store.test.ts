import { expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Of } from './digest.js';
import { Store } from './store.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const folder = temporaryFolder();

test('content is found by its digest, is written once, and is read-only', async () => {
  const store = new Store(join(folder, 'once'));
  const source = join(folder, 'source');
  writeFileSync(source, 'content');
  const ref = await store.put(source);
  expect(ref).toEqual({ path: store.pathOf(sha256Of('content')), sha256: sha256Of('content'), sizeBytes: 7 });
  expect(readFileSync(ref.path, 'utf8')).toBe('content');
  expect(statSync(ref.path).mode & 0o222).toBe(0);
  const { ino } = statSync(ref.path);
  expect(await store.put(Buffer.from('content'))).toEqual(ref);
  expect(statSync(ref.path).ino).toBe(ino);
  expect(await store.has(ref.sha256)).toBe(true);
  expect(await store.has(sha256Of('other'))).toBe(false);
});

test('a named object is the same file under its name', async () => {
  const store = new Store(join(folder, 'named'));
  const ref = await store.put(Buffer.from('weights'), 'model.nemo');
  expect(ref.path).toMatch(/\/model\.nemo$/);
  expect(statSync(ref.path).ino).toBe(statSync(store.pathOf(ref.sha256)).ino);
  expect(await store.put(Buffer.from('weights'), 'model.nemo')).toEqual(ref);
});

test('a source that cannot be read leaves nothing behind', async () => {
  const store = new Store(join(folder, 'failing'));
  await expect(store.put(join(folder, 'absent'))).rejects.toThrow('ENOENT');
  expect(readdirSync(join(store.root, 'objects', 'incoming'))).toEqual([]);
});

test('any key becomes one folder of its kind, and different keys different folders', () => {
  const store = new Store(join(folder, 'keys'));
  expect(store.folder('runs', 'my-run_1.2')).toBe(join(store.root, 'runs', 'my-run_1.2'));
  const keys = ['../../etc', 'a/b', 'a-b', 'a b', '', '.', '..', 'ü', 'x'.repeat(300), `${'x'.repeat(299)}y`];
  const folders = keys.map((key) => store.folder('runs', key));
  expect(new Set(folders).size).toBe(keys.length);
  for (const path of folders) expect(path).toMatch(/\/runs\/[A-Za-z0-9_~.-]{1,100}$/);
  expect(folders.filter((path) => /\/\.+$/.test(path))).toEqual([]);
  expect(existsSync(store.root)).toBe(false);
});
