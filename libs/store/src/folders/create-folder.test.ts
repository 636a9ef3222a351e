import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { writeFileAtomic } from '../write-file-atomic.js';
import { closeHome } from './close-home.js';
import { readableAsFolder } from './create-folder.js';

// tests/src/other-user.test.ts looks at all that a real run writes.

const folder = temporaryFolder();
let home: string;
let tests = 0;
beforeEach(() => {
  home = join(folder, `state-${++tests}`);
  process.env['NAUTIL_HOME'] = home;
});

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test.each([0o000, 0o022, 0o077])(
  'whoever writes first creates a state folder that only the user may enter, with umask %p',
  async (umask) => {
    const before = process.umask(umask);
    try {
      const file = join(home, 'runs', 'a', 'config.yaml');
      await writeFileAtomic(file, 'x');
      expect(await modeOf(file)).toBe(0o600);
      for (const made of [home, join(home, 'runs'), join(home, 'runs', 'a')]) expect(await modeOf(made)).toBe(0o700);
    } finally {
      process.umask(before);
    }
  },
);

test('files and folders elsewhere have the modes that the umask leaves, also beside a state folder', async () => {
  const before = process.umask(0o027);
  try {
    const file = join(`${home}-results`, 'model.nemo');
    await writeFileAtomic(file, 'x');
    expect(await modeOf(file)).toBe(0o640);
    expect(await modeOf(`${home}-results`)).toBe(0o750);
  } finally {
    process.umask(before);
  }
});

test('a file that came from the state folder is as readable as the folder that it is in, and never writable for others', async () => {
  for (const [ofFolder, ofFile] of [
    [0o777, 0o644],
    [0o750, 0o640],
    [0o700, 0o600],
  ] as const) {
    await mkdir(join(folder, String(ofFolder)));
    const copy = join(folder, String(ofFolder), 'copy');
    await writeFile(copy, 'x', { mode: 0o400 });
    await chmod(join(folder, String(ofFolder)), ofFolder);
    await readableAsFolder(copy);
    expect(await modeOf(copy)).toBe(ofFile);
  }
});

test('closing does nothing to a state folder that is missing or closed', async () => {
  expect(await closeHome()).toBeUndefined();
  await mkdir(home, { mode: 0o700 });
  expect(await closeHome()).toBeUndefined();
});
