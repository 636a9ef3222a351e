import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { fenceHolder } from '../claim-fence.js';
import { nautilHome } from '../folders/package-root.js';
import { runsFolder } from '../folders/run-folder.js';
import { isSetAside } from '../intact.js';
import { Store } from '../store.js';
import { LockTimeout, withLock } from '../with-lock.js';
import { FreedSpace, measureFolder } from './measure-folder.js';

/** The folder of a run, as far as this library can read it. */
interface FoundRun {
  folder: string;

  /** Absent for the folder of a sweep. */
  workflowId?: string;
}

export interface GarbageOptions {
  /** State folder; see nautilHome. */
  home?: string;

  /** Everything that was used after this moment is kept; milliseconds since the epoch. */
  usedBeforeMs: number;

  /**
   * Why an old run is kept, if it is: called for each run that is old enough, and again just before it is removed. A run that
   * is kept may read the outputs of its stages, if only to send them to MLflow.
   */
  reasonToKeep: (run: FoundRun) => Promise<string | undefined>;

  /**
   * Removes the least recently used first, and only until the rest takes at most this much: what a collection could free of the
   * store and of the folders of runs. Default: removes everything that is old enough.
   */
  keepBytes?: number | undefined;

  /** Also removes the `model.nemo` in the folders of old runs; default false. */
  models?: boolean | undefined;

  /** Removes nothing, and returns what would be removed. */
  dryRun?: boolean;
  signal?: AbortSignal;
}

interface Garbage {
  /** `objects`, `stages/tokenize`, `runs`. */
  kind: string;
  path: string;
  sizeBytes: number;
  lastUsed: Date;
}

export interface CollectedGarbage {
  removed: Garbage[];

  /** Old runs that are kept, and why. */
  kept: { path: string; why: string }[];

  /** Nothing that was used after this moment was removed, because the oldest run that is kept may need it. */
  usedBefore: Date;
}

/** How far a clock may be set back, while a run is using files, without their being taken for unused. */
const clockJumpMs = 24 * 3_600_000;

/**
 * Removes outputs of stages, objects, and the folders of ended runs when they have not been used for long. A run has used its
 * files after it started, so nothing is removed that was used after the start of the oldest run that is kept, or in the day
 * before, because a clock may have been set back while the run used them.
 *
 * It is safe while workers run: an output that a stage has found stays, or is made again.
 */
export async function collectGarbage(options: GarbageOptions): Promise<CollectedGarbage> {
  const { home = nautilHome(), usedBeforeMs, keepBytes, dryRun = false, signal } = options;
  const kept: CollectedGarbage['kept'] = [];
  const oldRuns: OldRun[] = [];
  let before = usedBeforeMs;
  for (const run of await runsIn(home)) {
    signal?.throwIfAborted();
    const reason = await reasonOf(run, options);
    if (reason === undefined) {
      oldRuns.push(run);
      continue;
    }
    before = Math.min(before, run.startedMs - clockJumpMs);
    if (reason !== recent) kept.push({ path: run.folder, why: reason });
  }

  const candidates: Removable[] = [];
  for await (const candidate of candidatesIn(new Store(join(home, 'store')))) {
    signal?.throwIfAborted();
    const unusedSince = await candidate.lastUsedMs();
    if (unusedSince < before)
      candidates.push({ ...candidate, unusedSince, remove: () => candidate.remove(unusedSince) });
  }
  for (const run of oldRuns) {
    const rest = await removableIn(run.folder, options.models ?? false);
    if (rest.length > 0) candidates.push(runCandidate(run, rest, options));
  }
  let excess = Infinity;
  if (keepBytes !== undefined) {
    candidates.sort((a, b) => a.unusedSince - b.unusedSince);
    excess = (await new FreedSpace().by([join(home, 'store'), runsFolder(home)])) - keepBytes;
  }
  const freed = new FreedSpace();
  const removed: Garbage[] = [];
  for (const candidate of candidates) {
    signal?.throwIfAborted();
    if (excess <= 0) break;
    const { kind, path, unusedSince } = candidate;
    const sizeBytes = await freed.by(candidate.measured);
    if (!dryRun && !(await candidate.remove())) continue;
    removed.push({ kind, path, sizeBytes, lastUsed: new Date(unusedSince) });
    excess -= sizeBytes;
  }
  return { removed, kept, usedBefore: new Date(before) };
}

/** Something that may be removed, as far as was known when it was found. */
interface Removable extends Pick<Candidate, 'kind' | 'path' | 'measured'> {
  unusedSince: number;

  /** False if it is in use meanwhile, and stays. */
  remove(): Promise<boolean>;
}

/** @param rest - what is removed of the run's folder */
function runCandidate(run: OldRun, rest: string[], options: GarbageOptions): Removable {
  return {
    kind: 'runs',
    path: run.folder,
    measured: rest,
    unusedSince: run.newestMs,
    remove: async () => {
      if ((await reasonOf(run, options)) !== undefined) return false; // the run was resumed in the meantime
      for (const path of rest) await rm(path, { recursive: true, force: true });
      if ((await readdir(run.folder)).length === 0) await rm(run.folder, { recursive: true, force: true });
      return true;
    },
  };
}

interface OldRun extends FoundRun {
  startedMs: number;
  newestMs: number;
}

async function runsIn(home: string): Promise<OldRun[]> {
  const runs: OldRun[] = [];
  for (const name of await namesIn(runsFolder(home))) {
    const folder = join(runsFolder(home), name);
    const record = join(folder, 'run.json');
    // run.json is written once, when the run starts, before any of its stages.
    const started = await stat(record).catch(() => stat(folder).catch(() => undefined));
    if (!started) continue;
    const { newestMs } = await measureFolder(folder);
    runs.push({ folder, startedMs: started.mtimeMs, newestMs: newestMs || started.mtimeMs, ...(await idIn(record)) });
  }
  return runs;
}

const parseRun = jsonParser(Type.Object({ workflowId: Type.String() }));

async function idIn(record: string): Promise<{ workflowId?: string }> {
  try {
    const { workflowId } = parseRun(await readFile(record, 'utf8'), record);
    return { workflowId };
  } catch {
    return {};
  }
}

const recent = 'recent';

async function reasonOf(run: OldRun, { usedBeforeMs, reasonToKeep }: GarbageOptions): Promise<string | undefined> {
  if ((await measureFolder(run.folder)).newestMs >= usedBeforeMs) return recent;
  for (const name of ['.', ...(await namesIn(run.folder))]) {
    const pid = await fenceHolder(join(run.folder, name));
    if (pid !== undefined) return `process ${pid} is using it`;
  }
  return reasonToKeep(run);
}

async function removableIn(folder: string, models: boolean): Promise<string[]> {
  const names = await namesIn(folder);
  return names.filter((name) => models || name !== 'model.nemo').map((name) => join(folder, name));
}

interface Candidate {
  kind: string;
  path: string;

  /** The files and folders that are removed. */
  measured: string[];
  lastUsedMs(): Promise<number>;

  /** Removes it, unless it is in use, or its last use is no longer `unusedSince`: the clock may have been set back meanwhile. */
  remove(unusedSince: number): Promise<boolean>;
}

async function* candidatesIn(store: Store): AsyncGenerator<Candidate> {
  const stages = join(store.root, 'stages');
  for (const stage of await namesIn(stages))
    for (const key of await namesIn(join(stages, stage))) {
      const folder = join(stages, stage, key);
      // The lock stays, because other processes may be waiting for it.
      if ((await namesIn(folder)).every((name) => name === 'lock')) continue;
      yield stageCandidate(`stages/${stage}`, folder);
    }
  const objects = join(store.root, 'objects');
  for (const prefix of await namesIn(objects)) {
    if (prefix === 'incoming') continue; // the next put removes abandoned files there
    for (const name of await namesIn(join(objects, prefix))) yield objectCandidate(store, join(objects, prefix, name));
  }
}

function stageCandidate(kind: string, folder: string): Candidate {
  const record = join(folder, 'output.json');
  const removing = join(folder, 'output.json.removed');
  const files = join(folder, 'files');
  const lastUsedMs = async (): Promise<number> =>
    (await mtimeOf(record)) ?? Math.max((await measureFolder(folder)).newestMs, (await mtimeOf(folder)) ?? 0);
  const remove = async (unusedSince: number): Promise<boolean> => {
    if ((await lastUsedMs()) !== unusedSince) return false;
    // NOTE: readers take no lock. They touch the record after reading it. Either they touch it before we rename it, and we see
    // that below, or the touch fails and the reader waits for the lock.
    const hadRecord = await rename(record, removing).then(
      () => true,
      () => false,
    );
    if (hadRecord && (await mtimeOf(removing)) !== unusedSince) {
      await rename(removing, record);
      return false;
    }
    await rm(files, { recursive: true, force: true });
    await rm(removing, { force: true });
    for (const name of (await namesIn(folder)).filter(isSetAside))
      await rm(join(folder, name), { recursive: true, force: true });
    return true;
  };
  return {
    kind,
    path: folder,
    measured: [folder],
    lastUsedMs,
    remove: (unusedSince) =>
      whenFree(() => withLock(join(folder, 'lock'), () => remove(unusedSince), { timeoutMs: 0 })),
  };
}

/** @param path - of an object, or of a damaged object that was set aside */
function objectCandidate(store: Store, path: string): Candidate {
  const lastUsedMs = async (): Promise<number> => (await mtimeOf(path)) ?? Infinity;
  return {
    kind: 'objects',
    path,
    measured: [path, join(store.root, 'names', basename(path))],
    lastUsedMs,
    remove: (unusedSince) =>
      store.whilePlacing(async () => {
        if ((await lastUsedMs()) !== unusedSince) return false;
        await rm(join(store.root, 'names', basename(path)), { recursive: true, force: true });
        await rm(path, { force: true });
        return true;
      }),
  };
}

/** False when another process holds the lock. */
async function whenFree(removal: () => Promise<boolean>): Promise<boolean> {
  try {
    return await removal();
  } catch (error) {
    if (error instanceof LockTimeout) return false;
    throw error;
  }
}

const mtimeOf = async (path: string): Promise<number | undefined> => (await stat(path).catch(() => undefined))?.mtimeMs;

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch((): string[] => []);
