import { openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { DiskFull } from './disk-full.js';
import { startProgram } from './testing/start-program.js';
import { temporaryFolder } from './testing/temporary-folder.js';
import { writeFileAtomic } from './write-file-atomic.js';

const folder = temporaryFolder();

test('a file is written from text, bytes and streams of chunks, with the folders above it', async () => {
  const path = join(folder, 'a', 'b', 'file');
  await writeFileAtomic(path, 'täxt');
  expect(readFileSync(path, 'utf8')).toBe('täxt');
  await writeFileAtomic(path, new Uint8Array([0, 255]));
  expect([...readFileSync(path)]).toEqual([0, 255]);
  await writeFileAtomic(path, [Buffer.from('one '), Buffer.from('two')]);
  expect(readFileSync(path, 'utf8')).toBe('one two');
});

test('a part of the content is replaced once all of it is known', async () => {
  const path = join(folder, 'patched');
  let length = 0;
  const content = function* (): Generator<Uint8Array> {
    for (const text of ['??? bytes: ', 'one ', 'two']) {
      length += text.length;
      yield Buffer.from(text);
    }
  };
  await writeFileAtomic(path, content(), { patch: () => ({ position: 1, bytes: Buffer.from(String(length)) }) });
  expect(readFileSync(path, 'utf8')).toBe('?18 bytes: one two');
});

test('a write that fails leaves the old content and no temporary file', async () => {
  const path = join(folder, 'failing', 'file');
  await writeFileAtomic(path, 'old');
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('new');
    throw new Error('the source broke');
  };
  await expect(writeFileAtomic(path, broken())).rejects.toThrow('the source broke');
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(join(folder, 'failing'))).toEqual(['file']);
});

test('content that is not confirmed is never seen by readers', async () => {
  const path = join(folder, 'unconfirmed', 'file');
  await writeFileAtomic(path, 'old');
  const seen: string[] = [];
  const confirm = async (): Promise<never> => {
    seen.push(...readdirSync(join(folder, 'unconfirmed')).filter((name) => name.endsWith('.tmp')));
    throw new Error('somebody else has it now');
  };
  await expect(writeFileAtomic(path, 'new', { confirm })).rejects.toThrow('somebody else has it now');
  expect(seen).toHaveLength(1);
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(join(folder, 'unconfirmed'))).toEqual(['file']);
});

test('the error for a full disk names the file and the free space; the old content stays', async () => {
  const path = join(folder, 'full', 'file');
  await writeFileAtomic(path, 'old');
  const full = openSync('/dev/full', 'w');
  const untilFull = function* (): Generator<Uint8Array> {
    yield Buffer.from('new');
    writeSync(full, 'x'); // the kernel's own ENOSPC
  };
  const error: unknown = await writeFileAtomic(path, untilFull()).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DiskFull);
  expect(error).toMatchObject({ path, kind: 'environment', retryable: true });
  expect((error as DiskFull).message).toMatch(/the disk is full \([\d.]+ [kMGT]?B free\)|bytes free/);
  expect((error as DiskFull).hint).toContain('store gc --dry-run');
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(join(folder, 'full'))).toEqual(['file']);
});

test('a killed writer leaves the old content, and the next write to the folder removes its temporary file', async () => {
  const path = join(folder, 'killed', 'file');
  await writeFileAtomic(path, 'old');
  const writer = startProgram('write-slowly.ts', path);
  await writer.printed('half');
  await writeFileAtomic(join(folder, 'killed', 'other'), 'x');
  expect(readdirSync(join(folder, 'killed'))).toHaveLength(3); // the temporary file of a live writer stays
  writer.child.kill('SIGKILL');
  await writer.ended;
  expect(readFileSync(path, 'utf8')).toBe('old');
  writeFileSync(join(folder, 'killed', '.unrelated.tmp'), '');
  await writeFileAtomic(path, 'new');
  expect(readdirSync(join(folder, 'killed')).sort()).toEqual(['.unrelated.tmp', 'file', 'other']);
});
