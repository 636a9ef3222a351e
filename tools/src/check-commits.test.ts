import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Ended, root, runProgram } from './testing/run-program.js';

let folder: string;
let clone: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nautil-commits-'));
  clone = join(folder, 'clone');
  await cp(join(root, 'tools/check-commits.mjs'), join(clone, 'tools/check-commits.mjs'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const check = (): Promise<Ended> => runProgram(process.execPath, [join(clone, 'tools/check-commits.mjs')]);
const identity = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org'];
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', clone, ...identity, ...args], { encoding: 'utf8' }).trim();
const commit = (title: string): string => git('commit', '--quiet', '--allow-empty', '--message', title);

test('titles are checked from the commit that introduced the check, and where there is a history to compare with', async () => {
  expect(await check()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('no git checkout') });

  git('init', '--quiet', '--initial-branch', 'main');
  commit('an old title of no form');
  git('add', '.');
  commit('another, which introduces the check');
  expect(await check()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('no branch origin/main') });

  git('update-ref', 'refs/remotes/origin/main', 'HEAD~1');
  commit('fix(store): a lock is free when its process has ended');
  commit('test!: an exclamation mark announces a breaking change');
  expect(await check()).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });

  commit('Fix the lock');
  commit(`docs: ${'x'.repeat(95)}`);
  const { exitCode, stderr } = await check();
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /^\w+ docs: x+\n {2}has 101 characters, more than 100\n\w+ Fix the lock\n {2}is not of the form/,
  );

  git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  expect(await check()).toMatchObject({ exitCode: 0 });
});

test('the titles of a shallow clone are not checked', async () => {
  const shallow = join(folder, 'shallow');
  git('clone', '--quiet', '--depth', '1', `file://${clone}`, shallow);
  const { exitCode, stdout } = await runProgram(process.execPath, [join(shallow, 'tools/check-commits.mjs')]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('the clone is shallow') });
});
