import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { followFile } from './follow-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nautil-follow-file-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const { signal } = new AbortController();

test('what is appended is read, also what came with the end, and a character that was written in two parts', async () => {
  const path = join(folder, 'log');
  const [first, second] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)];
  await writeFile(path, 'one\n');
  const appended = [first, second, Buffer.from('\nlast\n')];
  let text = '';
  const goesOn = async (): Promise<boolean> => {
    const next = appended.shift();
    if (next !== undefined) await appendFile(path, next);
    return appended.length > 0;
  };
  for await (const piece of followFile(path, { goesOn, signal })) text += piece;
  expect(text).toBe('one\nü\nlast\n');
});

test('it ends at the signal although the file may still grow', async () => {
  const path = join(folder, 'endless');
  await writeFile(path, 'one\n');
  const controller = new AbortController();
  const pieces: string[] = [];
  for await (const piece of followFile(path, { goesOn: () => Promise.resolve(true), signal: controller.signal })) {
    pieces.push(piece);
    controller.abort();
  }
  expect(pieces).toEqual(['one\n']);
});
