import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { UsageError } from '@nautil/contracts';
import { withFolder } from '@nautil/testing';
import { requireOutput } from './require-output.js';

test.each([
  ['its name', 'data/a.csv'],
  ['a longer name of it', 'data/../data/./a.csv'],
  ['a symbolic link to it', 'link.csv'],
  ['a hard link to it', 'hard.csv'],
  ['a link to its folder', 'folder-link/a.csv'],
])('a file that is read is never replaced, under whatever name: %s', async (_, output) => {
  await withFolder({}, (folder) => {
    mkdirSync(join(folder, 'data'));
    const input = join(folder, 'data/a.csv');
    writeFileSync(input, 'text\n');
    symlinkSync(input, join(folder, 'link.csv'));
    linkSync(input, join(folder, 'hard.csv'));
    symlinkSync(join(folder, 'data'), join(folder, 'folder-link'));
    const path = join(folder, output);
    for (const inputs of [
      [undefined, input],
      [null, join(folder, 'data')],
    ]) {
      if (output === 'hard.csv' && inputs.includes(join(folder, 'data'))) continue; // another name, in another folder
      for (const force of [false, true])
        expect(() => requireOutput(path, { inputs, force })).toThrow(/which the command reads/);
    }
    return Promise.resolve();
  });
});

test('another existing file is replaced only if the user wants that, a folder and a device never; a new file is written', async () => {
  await withFolder({ 'a.csv': 'text\n', 'b.csv': 'mine\n' }, (folder) => {
    const inputs = [join(folder, 'a.csv'), join(folder, 'absent.csv')];
    const check = (path: string, force: boolean) => () => requireOutput(path, { inputs, force });
    const there = join(folder, 'b.csv');
    expect(check(there, false)).toThrow(new UsageError(`${there} exists`));
    expect(check(there, true)).not.toThrow();
    expect(check(folder, true)).toThrow(new UsageError(`${folder} is a folder`));
    for (const device of ['/dev/null', '/dev/full'])
      for (const force of [false, true])
        expect(check(device, force)).toThrow(new UsageError(`${device} is a device or a pipe`));
    for (const path of [join(folder, 'new.csv'), join(folder, 'new', 'deep.csv')])
      expect(check(path, false)).not.toThrow();
    return Promise.resolve();
  });
});
