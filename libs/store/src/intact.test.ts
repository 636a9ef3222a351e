import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, jest, test } from '@jest/globals';
import { fileRef } from './digest.js';
import { FileDamaged, isIntact, requireIntact, setAside } from './intact.js';
import { Store } from './store.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const root = temporaryFolder();
const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
beforeAll(() => void warned.mockClear());

/** Changes a byte without changing the size, as an object of the store, which is read-only. */
function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(2) ^ 16, 2);
  rmSync(path);
  writeFileSync(path, bytes);
}

test('a file is intact while it has the bytes of its reference, however often it was checked before', async () => {
  const path = join(root, 'file');
  writeFileSync(path, 'content');
  const ref = await fileRef(path);
  expect(await isIntact(ref)).toBe(true);
  writeFileSync(path, 'c0ntent');
  expect(await isIntact(ref)).toBe(false);
  writeFileSync(path, 'content');
  expect(await isIntact(ref)).toBe(true);
  await sleep(1100); // from here on, the digest is remembered
  expect(await isIntact(ref)).toBe(true);
  const now = new Date();
  utimesSync(path, now, now);
  expect(await isIntact(ref)).toBe(true);
  await sleep(1100);
  expect(await isIntact(ref)).toBe(true);
  writeFileSync(path, 'c0ntent');
  utimesSync(path, now, now);
  expect(await isIntact(ref)).toBe(false);
  writeFileSync(path, 'longer content');
  expect(await isIntact(ref)).toBe(false);
  rmSync(path);
  expect(await isIntact(ref)).toBe(false);
});

test('a value is rejected when any file that it refers to is damaged, and the error names the file', async () => {
  const refs = await Promise.all(
    ['a', 'b'].map(async (name) => {
      writeFileSync(join(root, name), `content of ${name}`);
      return fileRef(join(root, name));
    }),
  );
  const value = { first: refs[0], more: [{ second: refs[1] }], note: 'none' };
  await expect(requireIntact(value)).resolves.toBeUndefined();
  flip(join(root, 'b'));
  await expect(requireIntact(value)).rejects.toThrow(FileDamaged);
  await expect(requireIntact(value)).rejects.toThrow(join(root, 'b'));
});

test('files that are set aside keep their content, and none replaces another', async () => {
  const path = join(root, 'aside');
  const kept: string[] = [];
  for (const content of ['first', 'second']) {
    writeFileSync(path, content);
    kept.push(await setAside(path));
  }
  expect(kept).toEqual([`${path}.set-aside`, `${path}.set-aside-2`]);
  expect(kept.map((file) => readFileSync(file, 'utf8'))).toEqual(['first', 'second']);
});

test('a damaged object is not found, and storing its content again replaces it under all its names', async () => {
  const store = new Store(join(root, 'store'));
  const ref = await store.put(Buffer.from('an object'), 'name');
  const object = store.pathOf(ref.sha256);
  flip(object);
  rmSync(ref.path);
  writeFileSync(ref.path, 'an 0bject');
  expect(await store.find(ref, 'name')).toBeUndefined();
  expect(warned.mock.calls.map(([warning]) => String(warning)).join()).toContain(
    `${object} does not match its SHA-256, and was renamed to`,
  );
  expect(await store.put(Buffer.from('an object'), 'name')).toEqual(ref);
  expect([ref.path, object].map((path) => readFileSync(path, 'utf8'))).toEqual(['an object', 'an object']);

  flip(object);
  expect(await store.put(Buffer.from('an object'))).toEqual({ ...ref, path: object });
  expect(await isIntact({ ...ref, path: object })).toBe(true);
  expect(await store.find(ref, 'name')).toEqual(ref);
});
