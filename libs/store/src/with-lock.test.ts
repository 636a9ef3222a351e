import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { recordSyncs } from './testing/record-syncs.js';
import { startProgram } from './testing/start-program.js';
import { temporaryFolder } from './testing/temporary-folder.js';
import { LockTimeout, withLock } from './with-lock.js';

const folder = temporaryFolder();

test('only one of several processes is inside a lock at a time', async () => {
  const lock = join(folder, 'counted');
  const file = join(folder, 'count');
  writeFileSync(file, '0');
  const programs = [1, 2, 3].map(() => startProgram('count-under-lock.ts', lock, file, '40'));
  const outcomes = await Promise.all(programs.map(({ ended }) => ended));
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(readFileSync(file, 'utf8')).toBe('120');
});

test('only one of several calls in one process is inside a lock at a time', async () => {
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(2);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 10 }, () => withLock(join(folder, 'calls'), work)));
  expect(most).toBe(1);
});

test('the time-out names the live holder, and the lock of a killed process is free at once', async () => {
  const lock = join(folder, 'held');
  const holder = startProgram('hold-lock.ts', lock);
  await holder.printed('holding');

  const error: unknown = await withLock(lock, async () => 'in', { timeoutMs: 100 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(LockTimeout);
  expect((error as LockTimeout).message).toContain(`process ${holder.child.pid} (`);
  expect((error as LockTimeout).message).toContain('hold-lock.ts');

  holder.child.kill('SIGKILL');
  await holder.ended;
  await expect(withLock(lock, async () => 'in', { timeoutMs: 100 })).resolves.toBe('in');
});

test('a lock is released when the work fails', async () => {
  const lock = join(folder, 'failed');
  const fails = async (): Promise<void> => {
    throw new Error('no');
  };
  await expect(withLock(lock, fails)).rejects.toThrow('no');
  await expect(withLock(lock, async () => 'in', { timeoutMs: 100 })).resolves.toBe('in');
});

test('releasing a lock creates no file and syncs nothing, so that it is cheap, and succeeds on a full disk', async () => {
  const lock = join(folder, 'released');
  await withLock(lock, async () => 'in'); // creates the folder
  let held: number[] = [];
  const synced = await recordSyncs(() => withLock(lock, async () => (held = inodesIn(lock))));
  expect(synced).toEqual([]);
  expect(inodesIn(lock)).toEqual(held);
});

const inodesIn = (path: string): number[] => readdirSync(path).map((name) => statSync(join(path, name)).ino);

test('an abort ends the waiting', async () => {
  const lock = join(folder, 'aborted');
  const controller = new AbortController();
  await withLock(lock, async () => {
    const waiting = withLock(lock, async () => 'in', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow();
  });
});
