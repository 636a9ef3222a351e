import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fenceHolder } from '../claim-fence.js';
import { measureFolder } from './measure-folder.js';
import { LockTimeout, withLock } from '../with-lock.js';
import { nautilHome } from '../package-root.js';
import { runsFolder } from '../run-folder.js';
import { Store } from '../store.js';

/** The folder of a run, as far as it is known without the libraries that made it. */
export interface FoundRun {
  folder: string;

  /** Absent for the folder of a sweep. */
  workflowId?: string;
}

/** Why a run stays although nobody has touched it for long. */
export interface ReasonToKeep {
  why: string;

  /** Whether it may still read what stages made for it; a run that only waits to be sent to MLflow doesn't. */
  needsStages: boolean;
}

export interface GarbageOptions {
  /** State folder; see nautilHome. */
  home?: string;

  /** What was used after this moment stays, in milliseconds since the epoch. */
  usedBeforeMs: number;

  /** Asked about each run that is old enough, and again right before it is removed. */
  reasonToKeep: (run: FoundRun) => Promise<ReasonToKeep | undefined>;

  /** Also the `model.nemo` in the folders of old runs; default: they stay. */
  models?: boolean | undefined;

  /** Removes nothing; says what would be. */
  dryRun?: boolean;
  signal?: AbortSignal;
}

export interface Garbage {
  /** `objects`, `stages/tokenize`, `runs`. */
  kind: string;
  path: string;
  sizeBytes: number;
  lastUsed: Date;
}

export interface CollectedGarbage {
  removed: Garbage[];

  /** Old runs that stay, and why. */
  kept: { path: string; why: string }[];

  /** Nothing that was used since this moment was removed: the oldest run that is kept may need it. */
  usedBefore: Date;
}

/**
 * Removes what no run needs: outputs of stages, objects, and the folders of runs that ended. Everything goes by last use; what
 * an open run has used is younger than that run, so nothing younger than the oldest run that stays is removed.
 *
 * It may run beside workers: the output of a stage, once found, is there, or is made again.
 */
export async function collectGarbage(options: GarbageOptions): Promise<CollectedGarbage> {
  const { home = nautilHome(), usedBeforeMs, dryRun = false, signal } = options;
  const counted = new Set<string>();
  const removed: Garbage[] = [];
  const kept: CollectedGarbage['kept'] = [];
  const oldRuns: OldRun[] = [];
  let before = usedBeforeMs;
  for (const run of await runsIn(home)) {
    signal?.throwIfAborted();
    const reason = await reasonOf(run, options);
    if (reason === undefined) oldRuns.push(run);
    else if (reason.why !== recent) kept.push({ path: run.folder, why: reason.why });
    if (reason?.needsStages) before = Math.min(before, run.startedMs);
  }

  const store = new Store(join(home, 'store'));
  for await (const candidate of candidatesIn(store)) {
    signal?.throwIfAborted();
    if ((await candidate.lastUsedMs()) >= before) continue;
    const { sizeBytes } = await measureFolder(candidate.measured, counted);
    const lastUsed = new Date(await candidate.lastUsedMs());
    if (dryRun || (await candidate.remove(before)))
      removed.push({ kind: candidate.kind, path: candidate.path, sizeBytes, lastUsed });
  }
  for (const run of oldRuns) {
    signal?.throwIfAborted();
    const rest = await removableIn(run.folder, options.models ?? false);
    if (rest.length === 0) continue;
    if (!dryRun && (await reasonOf(run, options)) !== undefined) continue; // somebody has gone on with it meanwhile
    let sizeBytes = 0;
    for (const path of rest) {
      sizeBytes += (await measureFolder(path, counted)).sizeBytes;
      if (!dryRun) await rm(path, { recursive: true, force: true });
    }
    removed.push({ kind: 'runs', path: run.folder, sizeBytes, lastUsed: new Date(run.newestMs) });
    if (!dryRun && (await readdir(run.folder)).length === 0) await rm(run.folder, { recursive: true, force: true });
  }
  return { removed, kept, usedBefore: new Date(before) };
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
    // Written once, when the run began, and before any stage of it.
    const begun = await stat(record).catch(() => stat(folder).catch(() => undefined));
    if (!begun) continue;
    const { newestMs } = await measureFolder(folder);
    runs.push({ folder, startedMs: begun.mtimeMs, newestMs: newestMs || begun.mtimeMs, ...(await idIn(record)) });
  }
  return runs;
}

async function idIn(record: string): Promise<{ workflowId?: string }> {
  try {
    return { workflowId: (JSON.parse(await readFile(record, 'utf8')) as { workflowId: string }).workflowId };
  } catch {
    return {};
  }
}

const recent = 'recent';

async function reasonOf(
  run: OldRun,
  { usedBeforeMs, reasonToKeep }: GarbageOptions,
): Promise<ReasonToKeep | undefined> {
  if ((await measureFolder(run.folder)).newestMs >= usedBeforeMs) return { why: recent, needsStages: true };
  for (const name of ['.', ...(await namesIn(run.folder))]) {
    const pid = await fenceHolder(join(run.folder, name));
    if (pid !== undefined) return { why: `process ${pid} works in it`, needsStages: true };
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

  /** What its removal gives back. */
  measured: string;
  lastUsedMs(): Promise<number>;

  /** Removes it unless it was used since, or is in use. */
  remove(before: number): Promise<boolean>;
}

async function* candidatesIn(store: Store): AsyncGenerator<Candidate> {
  const stages = join(store.root, 'stages');
  for (const stage of await namesIn(stages))
    for (const key of await namesIn(join(stages, stage))) {
      const place = join(stages, stage, key);
      // The lock of a place stays: who waits for it must find it.
      if ((await namesIn(place)).every((name) => name === 'lock')) continue;
      yield stageCandidate(`stages/${stage}`, place);
    }
  const objects = join(store.root, 'objects');
  for (const prefix of await namesIn(objects)) {
    if (prefix === 'incoming') continue; // half-written ones go with the next that is put
    for (const sha256 of await namesIn(join(objects, prefix))) yield objectCandidate(store, sha256);
  }
}

function stageCandidate(kind: string, place: string): Candidate {
  const record = join(place, 'output.json');
  const going = join(place, 'output.json.removed');
  const files = join(place, 'files');
  const lastUsedMs = async (): Promise<number> =>
    (await mtimeOf(record)) ?? Math.max((await measureFolder(place)).newestMs, (await mtimeOf(place)) ?? 0);
  const remove = async (before: number): Promise<boolean> => {
    if ((await lastUsedMs()) >= before) return false;
    // NOTE: readers take no lock. They touch the record after having read it: either the touch comes before it is renamed, and
    // is seen here, or it fails, and the reader waits for the lock.
    const hadRecord = await rename(record, going).then(
      () => true,
      () => false,
    );
    if (hadRecord && ((await mtimeOf(going)) ?? 0) >= before) {
      await rename(going, record);
      return false;
    }
    await rm(files, { recursive: true, force: true });
    await rm(going, { force: true });
    return true;
  };
  return {
    kind,
    path: place,
    measured: place,
    lastUsedMs,
    remove: (before) => whenFree(() => withLock(join(place, 'lock'), () => remove(before), { timeoutMs: 0 })),
  };
}

function objectCandidate(store: Store, sha256: string): Candidate {
  const path = store.pathOf(sha256);
  const lastUsedMs = async (): Promise<number> => (await mtimeOf(path)) ?? Infinity;
  return {
    kind: 'objects',
    path,
    measured: path,
    lastUsedMs,
    remove: (before) =>
      store.whilePlacing(async () => {
        if ((await lastUsedMs()) >= before) return false;
        await rm(join(store.root, 'names', sha256), { recursive: true, force: true });
        await rm(path, { force: true });
        return true;
      }),
  };
}

/** False when somebody else is at work there. */
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
