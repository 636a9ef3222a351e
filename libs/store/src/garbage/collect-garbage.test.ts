import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from '@jest/globals';
import { claimFence } from '../claim-fence.js';
import { fileRef } from '../digest.js';
import { stageOutput } from '../stage-output.js';
import { Store } from '../store.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { writeFileAtomic } from '../write-file-atomic.js';
import { collectGarbage, type GarbageOptions } from './collect-garbage.js';
import { measureHome } from './measure-home.js';

const root = temporaryFolder();
const day = 24 * 3600 * 1000;
let home: string;
let store: Store;
let number = 0;
beforeEach(() => {
  home = join(root, String(number++));
  store = new Store(join(home, 'store'));
});

const collect = (o: Partial<GarbageOptions> = {}) =>
  collectGarbage({ home, usedBeforeMs: Date.now() - 30 * day, reasonToKeep: async () => undefined, ...o });

/** Sets the age of everything below a path. */
function age(path: string, days: number): void {
  const time = new Date(Date.now() - days * day);
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) age(join(path, name), days);
  utimesSync(path, time, time);
}

const output = (name: string, content = 'bytes') =>
  stageOutput(
    'tokenize',
    name,
    async ({ folder }) => {
      await writeFileAtomic(join(folder, 'file'), content);
      return fileRef(join(folder, 'file'));
    },
    { store },
  );

function run(name: string, days: number): string {
  const folder = join(home, 'runs', name);
  mkdirSync(join(folder, 'training'), { recursive: true });
  writeFileSync(join(folder, 'run.json'), JSON.stringify({ workflowId: name }));
  writeFileSync(join(folder, 'training', 'last.safetensors'), 'weights');
  writeFileSync(join(folder, 'model.nemo'), 'model');
  age(folder, days);
  return folder;
}

test('unused outputs and objects are removed, with their sizes, and made again when they are needed', async () => {
  const { output: old } = await output('old', 'four');
  age(join(store.root, 'stages'), 31);
  await output('young');
  const object = await store.put(Buffer.from('old object'), 'train.tsv');
  age(object.path, 31);
  const young = await store.put(Buffer.from('young object'));

  const wouldBe = await collect({ dryRun: true });
  expect(existsSync(old.path) && existsSync(object.path)).toBe(true);
  const { removed } = await collect();
  expect(removed).toEqual(wouldBe.removed);
  expect(removed.map(({ kind }) => kind).sort()).toEqual(['objects', 'stages/tokenize']);
  expect(removed.find(({ kind }) => kind === 'objects')?.sizeBytes).toBe('old object'.length);
  expect(removed.find(({ kind }) => kind !== 'objects')!.sizeBytes).toBeGreaterThanOrEqual('four'.length);
  expect(existsSync(old.path) || existsSync(dirname(object.path))).toBe(false);
  expect(existsSync(young.path)).toBe(true);
  expect((await collect()).removed).toEqual([]);

  expect((await output('young')).reused).toBe(true);
  expect(await output('old', 'four')).toMatchObject({ reused: false, output: { sha256: old.sha256 } });
  expect(readFileSync((await store.put(Buffer.from('old object'), 'train.tsv')).path, 'utf8')).toBe('old object');
});

test('using an output or object makes it recent again', async () => {
  await output('used');
  const object = await store.put(Buffer.from('used'), 'name');
  age(store.root, 31);
  expect((await output('used')).reused).toBe(true);
  await store.put(Buffer.from('used'), 'name');
  expect((await collect()).removed).toEqual([]);
  expect(existsSync(object.path)).toBe(true);
});

test('of an old run only the model is kept; an open run is kept with everything that was used since it started', async () => {
  await output('before');
  age(join(store.root, 'stages'), 90);
  await output('during');
  age(join(store.root, 'stages', 'tokenize', (await output('during')).key), 40);
  const [ended, open] = [run('ended', 31), run('open', 50)];
  const { removed, kept } = await collect({
    reasonToKeep: async ({ workflowId }) => (workflowId === 'open' ? 'its workflow is open' : undefined),
  });
  expect(kept).toEqual([{ path: open, why: 'its workflow is open' }]);
  expect(removed.map(({ kind }) => kind)).toEqual(['stages/tokenize', 'runs']);
  expect(readdirSync(ended)).toEqual(['model.nemo']);
  expect(readdirSync(open)).toContain('training');
  expect((await output('during')).reused).toBe(true);
  expect((await output('before')).reused).toBe(false);

  age(ended, 31);
  await collect({ models: true });
  expect(existsSync(ended)).toBe(false);
});

/** Puts bytes into the store, which were used so many days ago. */
async function unused(sizeBytes: number, days: number): Promise<string> {
  const { path } = await store.put(Buffer.alloc(sizeBytes, String(days)));
  age(path, days);
  return path;
}

test('by size, the least recently used are removed, whatever their age, until the rest fits', async () => {
  const [oldest, older, newest] = [await unused(300, 3), await unused(200, 2), await unused(100, 1)];
  const keep = (keepBytes: number, o: Partial<GarbageOptions> = {}) =>
    collect({ usedBeforeMs: Date.now(), keepBytes, ...o });
  expect((await keep(600)).removed).toEqual([]);
  const { removed } = await keep(599, { dryRun: true });
  expect(removed).toMatchObject([{ path: oldest, sizeBytes: 300 }]);
  expect((await keep(200)).removed.map(({ path }) => path)).toEqual([oldest, older]);
  expect(existsSync(newest)).toBe(true);
});

test('by size, nothing is removed that a run needs which is kept, nor what was used since it began', async () => {
  const [before, during] = [await unused(300, 9), await unused(200, 3)];
  const [resumable, finished] = [run('resumable', 5), run('finished', 4)];
  const { removed, kept } = await collect({
    usedBeforeMs: Date.now(),
    keepBytes: 0,
    reasonToKeep: async ({ workflowId }) => (workflowId === 'resumable' ? 'it can be resumed' : undefined),
  });
  expect(kept).toEqual([{ path: resumable, why: 'it can be resumed' }]);
  expect(removed.map(({ path }) => path)).toEqual([before, finished]);
  expect(existsSync(during)).toBe(true);
  expect(readdirSync(resumable)).toContain('training');
  expect(readdirSync(finished)).toEqual(['model.nemo']);
});

test('a file frees its space with its last name, and none while it has a name elsewhere', async () => {
  const { path } = (await output('linked', 'x'.repeat(1000))).output;
  const { path: twice } = (await output('linked twice', 'y'.repeat(100))).output;
  linkSync(path, join(home, 'mine.nemo'));
  linkSync(twice, join(dirname(twice), 'second name'));
  age(store.root, 31);
  const sizes = ({ removed }: Awaited<ReturnType<typeof collect>>) => removed.map(({ sizeBytes }) => sizeBytes);
  const wouldBe = sizes(await collect({ dryRun: true }));
  // Beside the file, an output has a record of a few hundred bytes.
  expect(wouldBe.filter((size) => size < 1000)).toHaveLength(2);
  expect(wouldBe.filter((size) => size >= 100)).toHaveLength(2);
  expect(sizes(await collect())).toEqual(wouldBe);
  expect(readFileSync(join(home, 'mine.nemo'), 'utf8')).toHaveLength(1000);
});

test('the log folders of runs are measured where they are, without files that are counted in the state folder', async () => {
  const folder = run('logged', 0);
  const logDir = join(root, `${number}-nemo_experiments`, 'reviews', 'version_0');
  mkdirSync(logDir, { recursive: true });
  writeFileSync(join(folder, 'run.json'), JSON.stringify({ workflowId: 'logged', logDir }));
  linkSync(join(folder, 'training', 'last.safetensors'), join(logDir, 'last.ckpt'));
  writeFileSync(join(logDir, 'log.txt'), 'five!');
  const outside = (await measureHome(home)).filter((kind) => kind.outside);
  expect(outside).toEqual([
    { kind: 'log folders', path: dirname(logDir), count: 1, sizeBytes: 5, collectable: false, outside: true },
  ]);
});

test('outputs that a run used while the clock was set back by a day are kept with it', async () => {
  await output('used at first');
  await output('used a day earlier by the clock');
  for (const [name, days] of [
    ['used at first', 50],
    ['used a day earlier by the clock', 50.9],
  ] as const)
    age(join(store.root, 'stages', 'tokenize', (await output(name)).key), days);
  run('open', 50);
  expect((await collect({ reasonToKeep: async () => 'its workflow is open' })).removed).toEqual([]);
});

test('an object that is used during the collection is kept, even if the clock was set back meanwhile', async () => {
  const object = await store.put(Buffer.from('raced'));
  age(object.path, 31);
  const { collecting } = await store.whilePlacing(async () => {
    const started = collect();
    await sleep(300); // it waits for this lock, under which the object is used
    age(object.path, 35);
    return { collecting: started };
  });
  expect((await collecting).removed).toEqual([]);
  expect(existsSync(object.path)).toBe(true);
});

test('a run that waits to be sent keeps its folder and the outputs of its stages, which are sent too', async () => {
  await output('used by it');
  age(join(store.root, 'stages'), 40);
  const folder = run('unsent', 50);
  const { removed } = await collect({ reasonToKeep: async () => '3 records are not sent' });
  expect(removed).toEqual([]);
  expect((await output('used by it')).reused).toBe(true);
  expect(readdirSync(folder)).toContain('training');
});

test('a folder that a running process has claimed is kept, however old it is', async () => {
  const folder = run('claimed', 50);
  await claimFence(join(folder, 'training'));
  age(folder, 50);
  const { removed, kept } = await collect();
  expect(removed).toEqual([]);
  expect(kept).toEqual([{ path: folder, why: `process ${process.pid} is using it` }]);
});

test('a run that is resumed during the collection is kept', async () => {
  const folder = run('resumed', 50);
  let calls = 0;
  const { removed } = await collect({
    reasonToKeep: async () => (calls++ === 0 ? undefined : 'open'),
  });
  expect([calls, removed]).toEqual([2, []]);
  expect(readdirSync(folder)).toContain('training');
});

test('a stage whose output is being made is left alone', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const making = stageOutput(
    'train',
    1,
    async ({ folder }) => {
      await writeFileAtomic(join(folder, 'file'), 'x');
      age(dirname(folder), 40);
      await released;
      return fileRef(join(folder, 'file'));
    },
    { store },
  );
  await sleep(50);
  expect((await collect()).removed).toEqual([]);
  release();
  expect(existsSync((await making).output.path)).toBe(true);
});

test('a collection that races with stages and objects never removes what was just returned', async () => {
  const collection = new AbortController();
  const collecting = (async () => {
    let count = 0;
    while (!collection.signal.aborted) count += (await collect({ usedBeforeMs: Date.now() - 10_000 })).removed.length;
    return count;
  })();
  let [made, reused] = [0, 0];
  try {
    for (let round = 0; round < 150; round++) {
      const given = await output('raced', 'content');
      if (given.reused) reused++;
      else made++;
      expect(readFileSync(given.output.path, 'utf8')).toBe('content');
      const object = await store.put(Buffer.from('raced object'), 'name.tsv');
      expect(readFileSync(object.path, 'utf8')).toBe('raced object');
      for (const path of [dirname(dirname(given.output.path)), store.pathOf(object.sha256)]) age(path, 1);
      await sleep(Math.random() * 8);
    }
  } finally {
    collection.abort();
  }
  expect(await collecting).toBeGreaterThan(20);
  expect(Math.min(made, reused)).toBeGreaterThan(5);
});
