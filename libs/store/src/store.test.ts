import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { sha256Of } from './digest.js';
import { Store } from './store.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const folder = temporaryFolder();

test('content is found by its digest, written once, and read-only', async () => {
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

test('a named object is a hard link to the stored file', async () => {
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
