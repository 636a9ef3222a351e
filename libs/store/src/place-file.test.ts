import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from '@jest/globals';
import { fileRef } from './digest.js';
import { placeFile } from './place-file.js';
import { startProgram } from './testing/start-program.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const root = temporaryFolder();
let number = 0;
let folder: string;
let target: string;
beforeEach(() => {
  const home = join(root, String(number++));
  process.env['NAUTIL_HOME'] = join(home, 'home');
  folder = join(home, 'models');
  mkdirSync(join(home, 'made'), { recursive: true });
  target = join(folder, 'mine.nemo');
});

/** Puts a text at `mine.nemo` as a run does. */
async function place(text: string, owner: string): Promise<string | undefined> {
  const path = join(folder, '../made', `${text} by ${owner}`);
  rmSync(path, { force: true }); // its other name, at the target, must stay as it is
  writeFileSync(path, text);
  return placeFile(await fileRef(path), target, { owner, isShared: false });
}

const contents = ({ temporaries = true } = {}): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => temporaries || !name.endsWith('.tmp'))
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );

test('the file of another owner is kept under the next free number, and reported', async () => {
  expect(await place('first', 'a')).toBeUndefined();
  expect(await place('second', 'b')).toBe(join(folder, 'mine.1.nemo'));
  expect(await place('third', 'c')).toBe(join(folder, 'mine.2.nemo'));
  expect(contents()).toEqual({ 'mine.nemo': 'third', 'mine.1.nemo': 'first', 'mine.2.nemo': 'second' });
});

test('an owner replaces its own file, and nothing is left over', async () => {
  await place('first', 'a');
  expect(await place('second', 'a')).toBeUndefined();
  expect(contents()).toEqual({ 'mine.nemo': 'second' });
});

test('an owner that repeats its work reports again what it kept the first time', async () => {
  await place('first', 'a');
  await place('second', 'b');
  for (const text of ['second', 'repeated']) expect(await place(text, 'b')).toBe(join(folder, 'mine.1.nemo'));
  expect(contents()).toEqual({ 'mine.nemo': 'repeated', 'mine.1.nemo': 'first' });
  rmSync(join(folder, 'mine.1.nemo'));
  expect(await place('repeated', 'b')).toBeUndefined();
});

test('equal content is left alone, and then belongs to both owners', async () => {
  await place('same', 'a');
  const before = statSync(target);
  expect(await place('same', 'b')).toBeUndefined();
  expect(statSync(target)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  expect(await place('other', 'a')).toBe(join(folder, 'mine.1.nemo'));
  expect(contents()).toEqual({ 'mine.nemo': 'other', 'mine.1.nemo': 'same' });
});

test.each([
  ['of another program', (path: string) => writeFileSync(path, 'unknown')],
  [
    'that replaced its own',
    (path: string) => {
      writeFileSync(`${path}.new`, 'unknown');
      renameSync(`${path}.new`, path);
    },
  ],
])('a file %s is kept', async (_, write) => {
  await place('own', 'a');
  write(target);
  expect(await place('next', 'a')).toBe(join(folder, 'mine.1.nemo'));
  expect(contents()).toEqual({ 'mine.nemo': 'next', 'mine.1.nemo': 'unknown' });
});

test('a link is replaced, and kept as a link to the same file', async () => {
  mkdirSync(folder);
  writeFileSync(join(folder, 'elsewhere'), 'linked');
  symlinkSync('elsewhere', target);
  expect(await place('new', 'a')).toBe(join(folder, 'mine.1.nemo'));
  expect(contents()).toEqual({ elsewhere: 'linked', 'mine.1.nemo': 'linked', 'mine.nemo': 'new' });
});

test('an empty file is replaced', async () => {
  mkdirSync(folder);
  writeFileSync(target, '');
  expect(await place('new', 'a')).toBeUndefined();
  expect(contents()).toEqual({ 'mine.nemo': 'new' });
});

test('the file takes no space of its own, and may be read by those who may read its folder', async () => {
  await place('shared', 'a');
  expect(statSync(target).ino).toBe(statSync(join(folder, '../made/shared by a')).ino);
  expect(statSync(target).mode & 0o044).toBe(statSync(folder).mode & 0o044);
});

test('several owners at once lose nothing', async () => {
  const texts = Array.from({ length: 12 }, (_, i) => `text ${i}`);
  const kept = await Promise.all(texts.map((text) => place(text, text)));
  expect(Object.values(contents()).sort()).toEqual(texts.sort());
  expect(kept.filter((path) => path === undefined)).toHaveLength(1);
});

test('two processes that are killed at any point lose no file of the other', async () => {
  const made = join(folder, '../made');
  for (let round = 0; round < 4; round++) {
    const programs = ['a', 'b'].map((owner) => startProgram('place-repeatedly.ts', made, target, `${owner}${round}`));
    await Promise.all(programs.map(({ printed }) => printed('placing 3')));
    await sleep(Math.random() * 20);
    for (const { child } of programs) child.kill('SIGKILL');
    await Promise.all(programs.map(({ ended }) => ended));
    // A killed process may leave a temporary name of the file that it was about to place, which it still has.
    const before = Object.values(contents({ temporaries: false }));
    expect(before.every((text) => /^([ab]\d+|after) \d+$/.test(text))).toBe(true);
    await place(`after ${round}`, 'c');
    const after = Object.values(contents());
    // What was at the path is kept, unless it was the own file of the run.
    for (const text of before) if (!text.startsWith('after')) expect(after).toContain(text);
    expect(readFileSync(target, 'utf8')).toBe(`after ${round}`);
  }
}, 120_000);

test('owners of equal files can write into theirs without changing those of others', async () => {
  const made = join(folder, '../made/equal');
  writeFileSync(made, 'equal');
  const from = await fileRef(made);
  const [first, second, third] = ['a', 'b', 'c'].map((owner) => join(folder, `${owner}.nemo`));
  await placeFile(from, first!, { owner: 'a', isShared: false });
  await placeFile(from, second!, { owner: 'b', isShared: true });
  await placeFile(from, third!, { owner: 'c', isShared: true });
  expect(statSync(first!).ino).toBe(statSync(made).ino);
  writeFileSync(second!, 'written in place');
  expect(contents()).toEqual({ 'a.nemo': 'equal', 'b.nemo': 'written in place', 'c.nemo': 'equal' });
});
