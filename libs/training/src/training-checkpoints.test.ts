import { createHash } from 'node:crypto';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { copyFile, cp, type FileHandle, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CorruptFile, openTensors, writeSafetensors } from '@nautil/formats';
import type { NamedArray } from '@nautil/model';
import { openCheckpoint } from './open-checkpoint.js';
import { filesToResume, type LoadTensors, TrainingCheckpoints } from './training-checkpoints.js';
import type { TrainingState } from './training-state.js';

const home = mkdtempSync(join(tmpdir(), 'nautil-checkpoints-'));
afterAll(() => {
  rmSync(home, { recursive: true });
});

const digests = { config: 'c', data: 'd' };

/** Tensors whose values depend on the step. */
const tensorsAt = (step: number): NamedArray[] => [
  { name: 'bert_model.embeddings', shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => step + i / 7) },
  { name: 'classifier.bias', shape: [2], data: Float32Array.of(step, -step) },
  { name: 'optimizer/exp_avg/classifier.bias', shape: [2], data: Float32Array.of(0.1 * step, 0.2) },
];
const weightsAt = (step: number): NamedArray[] => tensorsAt(step).slice(0, 2);

const stateAt = (step: number, best?: TrainingState['best']): TrainingState => ({
  step,
  microBatches: 1,
  events: [],
  ...(best ? { best } : {}),
});

/** A folder with undamaged checkpoints of steps 3 and 6, of which the last names best weights of step 3. */
async function twoCheckpoints(name: string): Promise<TrainingCheckpoints> {
  const checkpoints = new TrainingCheckpoints(join(home, name), digests);
  const best = { monitor: 'val_loss', value: 0.5, step: 3, sha256: await checkpoints.saveBest(3, weightsAt(3)) };
  await checkpoints.save(stateAt(3, best), tensorsAt(3));
  await checkpoints.save(stateAt(6, best), tensorsAt(6));
  return new TrainingCheckpoints(checkpoints.path, digests); // as a new process sees it
}

const stepFile = ({ path }: TrainingCheckpoints, step: number): string =>
  join(path, 'checkpoints', `step-0000000${step}.safetensors`);

async function flipBit(path: string, at: number, bit = 0): Promise<void> {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  await writeFile(path, bytes);
}

/** Loads every tensor, as training does. */
const loadAll: LoadTensors = async ({ readWeight, readSlot }) => {
  for (const { name } of tensorsAt(0)) await (name.startsWith('optimizer/') ? readSlot(name) : readWeight(name));
};

async function latestOf(checkpoints: TrainingCheckpoints, needsBest = false) {
  const warnings: string[] = [];
  const saved = await checkpoints.latest({
    load: loadAll,
    onWarning: (message) => warnings.push(message),
    needsBest,
  });
  return { step: saved?.state.step, best: saved?.state.best, warnings };
}

/** A folder that each test copies, so that a flip costs no training. */
let original: TrainingCheckpoints;
beforeAll(async () => (original = await twoCheckpoints('original')));

async function copyOf(name: string): Promise<TrainingCheckpoints> {
  const path = join(home, name);
  await cp(original.path, path, { recursive: true });
  return new TrainingCheckpoints(path, digests);
}

test('any flipped bit in a checkpoint is detected: the one before it is loaded, and a warning names the file', async () => {
  const checkpoints = await copyOf('flipped');
  const file = stepFile(checkpoints, 6);
  const sound = await readFile(file);
  const data = sound.length - 8 - Number(sound.readBigUInt64LE());
  expect(data).toBe(4 * (12 + 2 + 2)); // the rest is the header
  const undetected: number[] = [];
  for (let at = 0; at < sound.length; at++) {
    await writeFile(file, sound);
    await flipBit(file, at, at % 8);
    const { step, warnings } = await latestOf(checkpoints);
    if (step !== 3 || warnings.length !== 1 || !warnings[0]!.includes(file)) undetected.push(at);
    rmSync(`${file}.set-aside`);
  }
  expect(undetected).toEqual([]);
}, 60_000);

test('a damaged checkpoint is kept under another name, and does not shadow later checkpoints', async () => {
  const checkpoints = await copyOf('kept aside');
  const file = stepFile(checkpoints, 6);
  await flipBit(file, 300);
  const damaged = await readFile(file);
  expect((await latestOf(checkpoints)).warnings).toEqual([
    expect.stringContaining('it was renamed to step-00000006.safetensors.set-aside, and training resumes'),
  ]);
  expect(await readFile(`${file}.set-aside`)).toEqual(damaged);
  await checkpoints.save(stateAt(5), tensorsAt(5));
  expect(await latestOf(checkpoints)).toMatchObject({ step: 5, warnings: [] });
  // A second damaged file of the same step keeps the first.
  await checkpoints.save(stateAt(6), tensorsAt(6));
  await flipBit(file, 301);
  await latestOf(checkpoints);
  expect((await readdir(join(checkpoints.path, 'checkpoints'))).sort()).toEqual([
    'step-00000005.safetensors',
    'step-00000006.safetensors.set-aside',
    'step-00000006.safetensors.set-aside-2',
  ]);
});

test('with every checkpoint damaged there is none to resume from', async () => {
  const checkpoints = await copyOf('all damaged');
  for (const step of [3, 6]) await flipBit(stepFile(checkpoints, step), 600);
  const { step, warnings } = await latestOf(checkpoints);
  expect({ step, warnings: warnings.length }).toEqual({ step: undefined, warnings: 2 });
});

test('a damaged checkpoint does not count when older ones are removed', async () => {
  const checkpoints = await copyOf('retention');
  await flipBit(stepFile(checkpoints, 6), 600);
  const { warnings } = await checkpoints.save(stateAt(9), tensorsAt(9));
  expect(warnings).toEqual([expect.stringContaining(stepFile(checkpoints, 6))]);
  expect((await readdir(join(checkpoints.path, 'checkpoints'))).sort()).toEqual([
    'step-00000003.safetensors',
    'step-00000006.safetensors.set-aside',
    'step-00000009.safetensors',
  ]);
  expect(await readdir(checkpoints.path)).toContain('best-00000003.safetensors'); // which step 3 names
  await checkpoints.save(stateAt(12), tensorsAt(12));
  expect((await readdir(join(checkpoints.path, 'checkpoints'))).sort()).toEqual([
    'step-00000006.safetensors.set-aside',
    'step-00000009.safetensors',
    'step-00000012.safetensors',
  ]);
});

test('any flipped bit in the best weights is detected, and they are restored from the checkpoint of that evaluation', async () => {
  const bytes = await readFile(original.bestWeights(3));
  for (let at = 0; at < bytes.length; at += 7) {
    const checkpoints = await copyOf('best');
    await flipBit(checkpoints.bestWeights(3), at, at % 8);
    const { step, warnings } = await latestOf(checkpoints, true);
    expect({ at, step, warnings }).toEqual({
      at,
      step: 6,
      warnings: [expect.stringContaining('best-00000003.safetensors.set-aside')],
    });
    expect(await readFile(checkpoints.bestWeights(3))).toEqual(bytes);
    rmSync(checkpoints.path, { recursive: true });
  }
}, 60_000);

test('best weights that the disk can no longer read are restored, from a checkpoint that it can read', async () => {
  const checkpoints = await copyOf('unreadable');
  const path = checkpoints.bestWeights(3);
  const bytes = await readFile(path);
  const origin = join(checkpoints.path, 'a-last.ckpt');
  await copyFile(stepFile(checkpoints, 3), origin);
  const best = (await latestOf(checkpoints)).best!;
  const warnings: string[] = [];
  const adopted = await withUnreadable([path, stepFile(checkpoints, 3)], () =>
    checkpoints.adoptBest(best, origin, (message) => warnings.push(message)),
  );
  expect({ adopted, warnings }).toEqual({
    adopted: true,
    warnings: [
      expect.stringContaining(`${path}: it can't be read; it was renamed to best-00000003.safetensors.set-aside`),
    ],
  });
  expect(await readFile(path)).toEqual(bytes);
});

/** Lets every read of the files fail during the work, as on a disk with a bad sector. */
async function withUnreadable<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  const file = await open(paths[0]!);
  const handles = Object.getPrototypeOf(file) as { read: (this: FileHandle, ...rest: unknown[]) => Promise<unknown> };
  await file.close();
  const { read } = handles;
  handles.read = function (this: FileHandle, ...rest: unknown[]) {
    if (!paths.includes(readlinkSync(`/proc/self/fd/${this.fd}`))) return read.apply(this, rest);
    return Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
  };
  try {
    return await work();
  } finally {
    handles.read = read;
  }
}

test('a checkpoint whose best weights are damaged beyond repair is not used if they will be packaged', async () => {
  const checkpoints = await copyOf('best lost');
  const best = { monitor: 'val_loss', value: 0.4, step: 9, sha256: await checkpoints.saveBest(9, weightsAt(9)) };
  await checkpoints.save(stateAt(9, best), tensorsAt(9));
  await checkpoints.save(stateAt(12, best), tensorsAt(12));
  await flipBit(stepFile(checkpoints, 9), 600);
  await flipBit(checkpoints.bestWeights(9), 100);
  const { step, warnings } = await latestOf(checkpoints, true);
  expect({ step, warnings }).toEqual({
    step: undefined,
    warnings: [
      expect.stringContaining('best-00000009.safetensors: its content does not match'),
      expect.stringMatching(/step-00000012.*can't be used: the weights of its best evaluation, at step 9/),
      expect.stringContaining(stepFile(checkpoints, 9)),
    ],
  });
});

test('a checkpoint without a digest, from an earlier version, is loaded with a warning', async () => {
  const checkpoints = await copyOf('earlier version');
  const { source } = await openCheckpoint(stepFile(checkpoints, 6));
  const { sha256: _, ...metadata } = source.metadata;
  await source.close();
  const contents = tensorsAt(6).map((tensor) => ({ ...tensor, dtype: 'F32' as const }));
  await writeSafetensors(stepFile(checkpoints, 6), contents, { ...metadata, format: 'nautil-checkpoint' });
  expect(await latestOf(checkpoints)).toMatchObject({
    step: 6,
    warnings: [expect.stringContaining('was written by an earlier version of Nautil and has no digest')],
  });
});

test.each(['sha256', 'format', 'progress', 'digests'])(
  'a checkpoint without the entry %s is damaged, not one of an earlier version',
  async (key) => {
    const checkpoints = await copyOf(`without ${key}`);
    const { source } = await openCheckpoint(stepFile(checkpoints, 6));
    const metadata = Object.fromEntries(Object.entries(source.metadata).filter(([name]) => name !== key));
    await source.close();
    const contents = tensorsAt(6).map((tensor) => ({ ...tensor, dtype: 'F32' as const }));
    await writeSafetensors(stepFile(checkpoints, 6), contents, metadata);
    expect(await latestOf(checkpoints)).toMatchObject({ step: 3, warnings: [expect.any(String)] });
  },
);

test('the digest of a checkpoint is that of its file with zeros in its place, and the file stays valid safetensors', async () => {
  const file = stepFile(original, 6);
  const source = await openTensors(file);
  const { sha256 } = source.metadata;
  await source.close();
  const zeroed = (await readFile(file)).toString('latin1').replace(sha256!, '0'.repeat(64));
  expect(createHash('sha256').update(Buffer.from(zeroed, 'latin1')).digest('hex')).toBe(sha256);
});

test('a damaged checkpoint of an earlier run is an error, and is not chosen for its best weights', async () => {
  const kept = join(home, 'kept');
  await mkdir(kept, { recursive: true });
  await copyFile(stepFile(original, 3), join(kept, 'a-epoch=0.ckpt'));
  await copyFile(stepFile(original, 6), join(kept, 'a-last.ckpt'));
  const last = join(kept, 'a-last.ckpt');
  expect(await filesToResume(last)).toEqual([last, join(kept, 'a-epoch=0.ckpt')]);
  await flipBit(join(kept, 'a-epoch=0.ckpt'), 600);
  expect(await filesToResume(last)).toEqual([last]);
  const next = new TrainingCheckpoints(join(home, 'next'), { ...digests, config: 'other' });
  const saved = await next.earlier(last, { load: loadAll });
  expect(saved.state.step).toBe(6);
  expect(await next.adoptBest(saved.state.best!, last)).toBe(false);
  await flipBit(last, 620);
  const failure = await next.earlier(last, { load: loadAll }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CorruptFile);
  expect(String(failure)).toContain(last);
});
