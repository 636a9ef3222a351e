import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { recordSyncs } from '@nautil/store/testing/record-syncs';
import { KeptCheckpoints, type KeptCheckpointsOptions, linkOrCopy } from './kept-checkpoints.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nautil-kept-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (o: Partial<KeptCheckpointsOptions> = {}): Promise<KeptCheckpoints> =>
  KeptCheckpoints.open({
    folder,
    name: 'TextClassification',
    monitor: 'val_loss',
    mode: 'min',
    saveTopK: 3,
    saveLast: true,
    everyNEpochs: 1,
    ...o,
  });

/** Saves one evaluation per epoch of ten steps; the content of a checkpoint is its step. */
async function saveEpochs(kept: KeptCheckpoints, values: number[], from = 0): Promise<(string | undefined)[]> {
  const messages: (string | undefined)[] = [];
  for (const [i, value] of values.entries()) {
    const epoch = from + i;
    const step = 10 * (epoch + 1);
    messages.push(await kept.save({ step, epoch, value }, (path) => writeFile(path, `${step}`)));
  }
  return messages;
}

/** File names without their common prefix. */
const fileNames = (): string[] =>
  readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .map((name) => name.replace('TextClassification--', ''))
    .sort();

test('keeps the best three checkpoints and the last, and returns the messages of Lightning', async () => {
  const kept = await open();
  const messages = await saveEpochs(kept, [0.9, 0.5, 0.7, 0.8, 0.6]);
  expect(fileNames()).toEqual([
    'val_loss=0.5000-epoch=1.ckpt',
    'val_loss=0.6000-epoch=4-last.ckpt',
    'val_loss=0.6000-epoch=4.ckpt',
    'val_loss=0.7000-epoch=2.ckpt',
  ]);
  const path = join(folder, 'TextClassification--val_loss=0.8000-epoch=3.ckpt');
  expect(messages[3]).toBe(
    `Epoch 3, global step 40: 'val_loss' reached 0.80000 (best 0.50000), saving model to '${path}' as top 3`,
  );
  expect(await kept.save({ step: 60, epoch: 5, value: 0.75 }, (to) => writeFile(to, '60'))).toBe(
    "Epoch 5, global step 60: 'val_loss' was not in top 3",
  );
  expect(readFileSync(kept.last!, 'utf8')).toBe('60');
  expect(basename(kept.best!)).toBe('TextClassification--val_loss=0.5000-epoch=1.ckpt');
});

test('at the end the last checkpoint is named by the number of completed epochs', async () => {
  const kept = await open();
  await saveEpochs(kept, [0.69331, 0.69327]);
  await kept.end({ step: 20, epochsDone: 2 }, () => Promise.reject(new Error('written twice')));
  expect(fileNames()).toEqual([
    'val_loss=0.6933-epoch=0.ckpt',
    'val_loss=0.6933-epoch=1.ckpt',
    'val_loss=0.6933-epoch=2-last.ckpt',
  ]);
  expect(readFileSync(kept.last!, 'utf8')).toBe('20');
});

test('the last checkpoint includes the steps after the last evaluation', async () => {
  await saveEpochs(await open(), [0.7]);
  const kept = await open();
  await kept.end({ step: 14, epochsDone: 1 }, (path) => writeFile(path, '14'));
  expect(readFileSync(kept.last!, 'utf8')).toBe('14');
  expect(fileNames()).toEqual(['val_loss=0.7000-epoch=0.ckpt', 'val_loss=0.7000-epoch=1-last.ckpt']);
});

test('after a crash between any two evaluations, the run ends with the same files', async () => {
  const values = [0.9, 0.5, NaN, 0.50001, 0.8, 0.4, 0.50002];
  await saveEpochs(await open(), values);
  const whole = fileNames();
  for (let until = 1; until < values.length; until++) {
    rmSync(folder, { recursive: true });
    await saveEpochs(await open(), values.slice(0, until));
    // A resumed run reports its newest checkpoint again.
    const again = await open();
    expect(await saveEpochs(again, values.slice(until - 1, until), until - 1)).toEqual([undefined]);
    await saveEpochs(again, values.slice(until), until);
    expect(fileNames()).toEqual(whole);
  }
});

test.each(['before the state is written', 'before the previous last checkpoint is removed'])(
  'a crash %s changes no file in the end',
  async (when) => {
    const values = [0.9, 0.5, 0.7, 0.6];
    await saveEpochs(await open(), values);
    const whole = fileNames();
    for (let until = 0; until < values.length; until++) {
      rmSync(folder, { recursive: true });
      await saveEpochs(await open(), values.slice(0, until));
      mkdirSync(folder, { recursive: true });
      const before = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
      const state = '.kept.json';
      // An interrupted first save has written an empty state.
      if (until === 0) before.set(state, Buffer.from('{"step":0,"values":{},"shown":"0.0000"}'));
      await saveEpochs(await open(), values.slice(until, until + 1), until);
      const lost = when.startsWith('before the state')
        ? state
        : [...before.keys()].find((name) => name.includes('-last'));
      if (lost !== undefined) writeFileSync(join(folder, lost), before.get(lost)!);
      await saveEpochs(await open(), values.slice(until), until);
      expect(fileNames()).toEqual(whole);
    }
  },
);

test('a failed write leaves the previous files in place', async () => {
  const kept = await open({ saveTopK: 1 });
  await saveEpochs(kept, [0.9]);
  const before = fileNames();
  const full = Promise.reject(new Error('no space left on device'));
  await expect(kept.save({ step: 20, epoch: 1, value: 0.5 }, () => full)).rejects.toThrow('no space');
  expect(fileNames()).toEqual(before);
  await saveEpochs(await open({ saveTopK: 1 }), [0.5], 1);
  expect(fileNames()).toEqual(['val_loss=0.5000-epoch=1-last.ckpt', 'val_loss=0.5000-epoch=1.ckpt']);
});

test("a folder of NeMo's is restored from its file names, and surplus checkpoints are removed", async () => {
  const names = ['0.9000-epoch=0', '0.5000-epoch=1', '0.5000-epoch=1-v1', 'nan-epoch=2', '0.7000-epoch=3', '0.7-last'];
  for (const name of names) writeFileSync(join(folder, `TextClassification--val_loss=${name}.ckpt`), name);
  const kept = await open();
  expect(fileNames()).toEqual([
    'val_loss=0.5000-epoch=1-v1.ckpt',
    'val_loss=0.5000-epoch=1.ckpt',
    'val_loss=0.7-last.ckpt',
    'val_loss=0.7000-epoch=3.ckpt',
  ]);
  await saveEpochs(kept, [0.6], 4);
  expect(fileNames()).toContain('val_loss=0.6000-epoch=4.ckpt');
  expect(fileNames()).not.toContain('val_loss=0.7000-epoch=3.ckpt');
});

test('equal values in one epoch get a version suffix, as in Lightning', async () => {
  const kept = await open();
  for (const step of [5, 10]) await kept.save({ step, epoch: 0, value: 0.5 }, (path) => writeFile(path, `${step}`));
  expect(fileNames()).toEqual([
    'val_loss=0.5000-epoch=0-last.ckpt',
    'val_loss=0.5000-epoch=0-v1.ckpt',
    'val_loss=0.5000-epoch=0.ckpt',
  ]);
});

test.each([
  [{ saveTopK: -1 }, 5],
  [{ saveTopK: 0 }, 0],
  [{ everyNEpochs: 2 }, 2],
  [{ everyNEpochs: 0 }, 0],
  [{ monitor: 'val_f1', mode: 'max' as const, saveTopK: 2 }, 2],
])('with %j, %d of five checkpoints are kept as best', async (o, count) => {
  const kept = await open(o);
  await saveEpochs(kept, [0.1, 0.2, 0.3, 0.5, 0.4]);
  expect(fileNames().filter((name) => !name.endsWith('-last.ckpt'))).toHaveLength(count);
  expect(readFileSync(kept.last!, 'utf8')).toBe('50');
  if ('mode' in o) expect(basename(kept.best!)).toContain('val_f1=0.5000-epoch=3');
});

test('a damaged state file is ignored, and the names decide', async () => {
  await saveEpochs(await open(), [0.9, 0.5]);
  writeFileSync(join(folder, '.kept.json'), '{"step":20,"values":');
  const kept = await open();
  expect(basename(kept.best!)).toBe('TextClassification--val_loss=0.5000-epoch=1.ckpt');
});

test('without a validation, the last checkpoint has the value 0 in its name, as Lightning gives a missing metric', async () => {
  const kept = await open({ monitor: 'val_f1' });
  await kept.end({ step: 10, epochsDone: 1 }, (path) => writeFile(path, '10'));
  expect(fileNames()).toEqual(['val_f1=0.0000-epoch=1-last.ckpt']);
});

test('the checkpoints are synced under their names before the state that lists them', async () => {
  const checkpoints = join(folder, 'checkpoints');
  const source = join(folder, 'step-10.safetensors');
  await writeFile(source, '10');
  const kept = await open({ folder: checkpoints });
  const synced = await recordSyncs(() =>
    kept.save({ step: 10, epoch: 0, value: 0.5 }, (path) => linkOrCopy(source, path)),
  );
  const state = expect.stringMatching(/\.\.kept\.json\.[^/]+\.tmp$/);
  // The new folder; the first state; the names of the best and the incomplete last checkpoint; its last name; the state.
  const names = [checkpoints, checkpoints, checkpoints];
  expect(synced).toEqual([folder, state, checkpoints, ...names, state, checkpoints]);
});

test('a file keeps its rights when it gets a second name in a folder of the user alone', async () => {
  const source = join(folder, 'a-last.ckpt');
  await writeFile(source, '10');
  chmodSync(source, 0o664);
  mkdirSync(join(folder, 'private'), { mode: 0o700 });
  await linkOrCopy(source, join(folder, 'private', 'a-last.ckpt'));
  expect(statSync(source).mode & 0o777).toBe(0o664);
});
