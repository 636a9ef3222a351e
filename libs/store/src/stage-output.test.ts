import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from '@jest/globals';
import type { FileRef } from '@nautil/contracts';
import { fileRef } from './digest.js';
import { stageOutput } from './stage-output.js';
import { Store } from './store.js';
import { startProgram } from './testing/start-program.js';
import { temporaryFolder } from './testing/temporary-folder.js';
import { LockTimeout } from './with-lock.js';
import { writeFileAtomic } from './write-file-atomic.js';

const store = new Store(join(temporaryFolder(), 'store'));

let made = 0;
const make = async ({ folder }: { folder: string }): Promise<{ file: FileRef }> => {
  made += 1;
  const path = join(folder, 'file');
  await writeFileAtomic(path, 'content');
  return { file: await fileRef(path) };
};

beforeEach(() => {
  made = 0;
});

test('an output is made once for the same inputs, and again for others', async () => {
  const first = await stageOutput('cache', { sha256: 'a', maxLength: 1 }, make, { store });
  expect(first.reused).toBe(false);
  const again = await stageOutput('cache', { maxLength: 1, sha256: 'a' }, make, { store });
  expect(again).toEqual({ ...first, reused: true });
  const other = await stageOutput('cache', { sha256: 'a', maxLength: 2 }, make, { store });
  expect(other.reused).toBe(false);
  const otherStage = await stageOutput('tokenize', { sha256: 'a', maxLength: 1 }, make, { store });
  expect(otherStage.reused).toBe(false);
  expect(made).toBe(3);
});

test('an output whose file is missing or has another size is made again', async () => {
  const { output } = await stageOutput('checked', 1, make, { store });
  truncateSync(output.file.path, 3);
  expect((await stageOutput('checked', 1, make, { store })).reused).toBe(false);
  rmSync(output.file.path);
  expect((await stageOutput('checked', 1, make, { store })).reused).toBe(false);
  expect((await stageOutput('checked', 1, make, { store })).reused).toBe(true);
});

test.each([
  ['its file', 'files/file', 3],
  ['its record', 'output.json', undefined],
])(
  'an output is made again after a flipped bit in %s; the damaged one is kept, and a warning names it',
  async (what, name, at) => {
    const inputs = { flipped: what };
    const { key, output, warnings } = await stageOutput('flipped', inputs, make, { store });
    expect(warnings).toEqual([]);
    const path = join(store.root, 'stages/flipped', key, name);
    const bytes = readFileSync(path);
    const position = at ?? bytes.indexOf('"sizeBytes"') + 13; // a digit of the output
    bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
    writeFileSync(path, bytes);
    const again = await stageOutput('flipped', inputs, make, { store });
    expect(again).toEqual({ output, reused: false, key, warnings: [expect.stringContaining(`${path} was damaged`)] });
    const kept = name.startsWith('files/') ? 'files.set-aside/file' : 'output.json.set-aside';
    expect(readFileSync(join(store.root, 'stages/flipped', key, kept))).toEqual(bytes);
    expect(await stageOutput('flipped', inputs, make, { store })).toMatchObject({ reused: true, warnings: [] });
  },
);

test('a record of an earlier version, which has no digest, is reused', async () => {
  const { key } = await stageOutput('earlier', 1, make, { store });
  const record = join(store.root, 'stages/earlier', key, 'output.json');
  const { stage, inputs, output } = JSON.parse(readFileSync(record, 'utf8')) as Record<string, unknown>;
  writeFileSync(record, JSON.stringify({ stage, inputs, output }, null, 1));
  expect(await stageOutput('earlier', 1, make, { store })).toMatchObject({ reused: true, warnings: [] });
});

test('an output that a stage itself finds changed is made again', async () => {
  const { key } = await stageOutput('verified', 1, make, { store });
  const changed = await stageOutput('verified', 1, make, { store, verify: () => Promise.resolve(false) });
  expect(changed).toMatchObject({ key, reused: false, warnings: [expect.stringContaining('files was damaged')] });
});

test('when several calls want the same output at once, one makes it', async () => {
  const slowly = async (o: { folder: string }): Promise<{ file: FileRef }> => {
    await sleep(50);
    return make(o);
  };
  const outputs = await Promise.all([1, 2, 3].map(() => stageOutput('raced', 1, slowly, { store })));
  expect(made).toBe(1);
  expect(outputs.filter(({ reused }) => reused)).toHaveLength(2);
});

test('partial files of a failed attempt are removed, or kept for a stage that resumes', async () => {
  let seen: boolean[] = [];
  const failing = async ({ folder }: { folder: string }): Promise<string> => {
    seen.push(existsSync(join(folder, 'partial')));
    await writeFileAtomic(join(folder, 'partial'), 'x');
    if (seen.length < 2) throw new Error('killed');
    return 'done';
  };
  await expect(stageOutput('clean', 1, failing, { store })).rejects.toThrow('killed');
  await stageOutput('clean', 1, failing, { store });
  expect(seen).toEqual([false, false]);

  seen = [];
  await expect(stageOutput('resuming', 1, failing, { store, keepPartial: true })).rejects.toThrow('killed');
  await stageOutput('resuming', 1, failing, { store, keepPartial: true });
  expect(seen).toEqual([false, true]);
});

test('a holder that does not end is waited for, or superseded after takeOverAfterMs', async () => {
  const inputs = { sha256: 'frozen' };
  const { key } = await stageOutput('train', inputs, make, { store });
  rmSync(join(store.root, 'stages/train', key, 'output.json'));
  const holder = startProgram('hold-lock.ts', join(store.root, 'stages/train', key, 'lock'));
  await holder.printed('holding');
  holder.child.kill('SIGSTOP');
  await expect(stageOutput('train', inputs, make, { store, timeoutMs: 100 })).rejects.toThrow(LockTimeout);
  await expect(stageOutput('train', inputs, make, { store, takeOverAfterMs: 100 })).resolves.toMatchObject({
    reused: false,
    key,
  });
  expect(made).toBe(2);
  holder.child.kill('SIGKILL');
  await holder.ended;
});
