import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { fileRef } from './digest.js';
import { createFolder, homeId } from './folders/index.js';
import { stageOutput } from './stage-output.js';
import { Store } from './store.js';
import { recordSyncs } from './testing/record-syncs.js';
import { temporaryFolder } from './testing/temporary-folder.js';
import { writeFileAtomic } from './write-file-atomic.js';

// tests/src/power-loss.drill.ts opens what a power cut leaves behind.

const folder = temporaryFolder();
const isTemporaryIn = (place: string) => expect.stringMatching(new RegExp(`^${place}/\\.[^/]+\\.tmp$`));

test('a file is synced, then its folder, and the folder of each folder that was created for it', async () => {
  const path = join(folder, 'new', 'deeper', 'file');
  expect(await recordSyncs(() => writeFileAtomic(path, 'x'))).toEqual([
    join(folder, 'new'),
    folder,
    isTemporaryIn(dirname(path)),
    dirname(path),
  ]);
  expect(await recordSyncs(() => writeFileAtomic(path, 'y'))).toEqual([isTemporaryIn(dirname(path)), dirname(path)]);
});

test.each([['relative/to/here'], ['a/../b/c'], ['trailing/']])(
  'every new folder of %p is synced, however the path is written',
  async (path) => {
    const place = join(folder, String(path.length));
    await mkdir(place);
    const synced = await recordSyncs(() => createFolder(`${place}/${path}`));
    expect(synced).toContain(place);
    expect(synced).toContain(dirname(join(place, path).replace(/\/$/, '')));
  },
);

test('an object and its name are in synced folders before a reference to them exists', async () => {
  const store = new Store(join(folder, 'store'));
  let path = '';
  const synced = await recordSyncs(async () => ({ path } = await store.put(Buffer.from('object'), 'model.nemo')));
  const object = store.pathOf((await fileRef(path)).sha256);
  for (const made of [dirname(path), dirname(dirname(path)), dirname(object), dirname(dirname(object)), store.root])
    expect(synced).toContain(made);
  const again = await recordSyncs(() => store.put(Buffer.from('object'), 'model.nemo'));
  expect(again).toEqual(expect.arrayContaining([dirname(object), dirname(path)]));
});

test('the files of a stage are synced before its record', async () => {
  const store = new Store(join(folder, 'stages'));
  let made = '';
  const synced = await recordSyncs(() =>
    stageOutput(
      'tokenize',
      { a: 1 },
      async ({ folder: files }) => {
        made = files;
        await writeFileAtomic(join(files, 'tokens'), 'x');
        return fileRef(join(files, 'tokens'));
      },
      { store },
    ),
  );
  const place = dirname(made);
  const order = [isTemporaryIn(made), made, isTemporaryIn(place), place];
  expect(synced.slice(synced.findIndex((path) => path.startsWith(`${made}/`))).slice(0, 4)).toEqual(order);
  expect(synced).toContain(dirname(place));
});

test('the id of a state folder is on the disk before it is used', async () => {
  const home = join(folder, 'home');
  const synced = await recordSyncs(() => homeId(home));
  expect(synced).toEqual([folder, isTemporaryIn(home), home]);
  expect(await readFile(join(home, 'home-id'), 'utf8')).toMatch(/^[0-9a-f]{32}\n$/);
});
