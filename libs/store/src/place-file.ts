import { link, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, parse } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import type { FileRef } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { sha256Of } from './digest.js';
import { createFolder } from './folders/create-folder.js';
import { syncFolder } from './folders/sync-folder.js';
import { knownSha256 } from './known-digests.js';
import { copyFileAtomic, linkFileAtomic } from './link-file-atomic.js';
import { Store } from './store.js';
import { withLock } from './with-lock.js';
import { writeFileAtomic } from './write-file-atomic.js';

/**
 * Puts a file at a path, where it replaces only what the same owner has put there. Any other file gets the next free number:
 * `mine.nemo` becomes `mine.1.nemo`, and is the older one. A file with the same content stays as it is.
 *
 * The old file gets its new name before the new file takes the place, so a kill or a power cut at any point loses neither.
 * Owners that use one state folder exclude one another. The record of who put which content at a path is written before the
 * file, and is kept in the store; without it, the file counts as another owner's.
 *
 * @param o.owner - the run: the same when it is retried or resumed
 * @param o.isShared - whether another owner may have a link of the file. This one then gets a copy, because who writes into a link in
 * place (`cp other.nemo mine.nemo`) changes the files of both.
 * @returns the path at which the other owner's file is kept now; undefined if there was none
 * @throws DiskFull; then the old file is intact
 */
export async function placeFile(
  from: Pick<FileRef, 'path' | 'sha256'>,
  to: string,
  { owner, isShared }: { owner: string; isShared: boolean },
): Promise<string | undefined> {
  await createFolder(dirname(to));
  const { folder, file } = await recordOf(to);
  return withLock(
    join(folder, 'lock'),
    async () => {
      const { owners, kept } = await readRecord(file);
      const found = await contentOf(to);
      const ofThis = [...new Set([...(owners[from.sha256] ?? []), owner])];
      if (found === from.sha256) {
        await writeRecord(file, { owners: { ...owners, [found]: ofThis }, kept });
        return keptFor(owner, kept);
      }
      const isForeign = found !== undefined && !isOnlyOwner(owner, owners[found]);
      if (isForeign) kept[owner] = await keepBeside(to, found);
      await writeRecord(file, { owners: { ...owners, [from.sha256]: ofThis }, kept });
      await (isShared ? copyFileAtomic : linkFileAtomic)(from, to);
      await writeRecord(file, { owners: { [from.sha256]: ofThis }, kept });
      return keptFor(owner, kept);
    },
    { timeoutMs: Infinity },
  );
}

/** Whether `placeFile` has put a file at a path, which then has a record in the state folder. The file may have changed since. */
export async function isPlaced(path: string): Promise<boolean> {
  const { owners } = await readRecord((await recordOf(path)).file);
  return Object.keys(owners).length > 0;
}

/** The place of the record of a path, whose folder exists. */
async function recordOf(path: string): Promise<{ folder: string; file: string }> {
  const place = join(await realpath(dirname(path)), basename(path));
  const folder = join(new Store().root, 'placed', sha256Of(place).slice(0, 16));
  return { folder, file: join(folder, 'record.json') };
}

const isOnlyOwner = (owner: string, owners: readonly string[] = []): boolean =>
  owners.length === 1 && owners[0] === owner;

/** Also when an earlier attempt of the owner kept the file, if the file is still there. */
async function keptFor(owner: string, kept: PlaceRecord['kept']): Promise<string | undefined> {
  const path = kept[owner];
  return path !== undefined && (await contentOf(path)) !== undefined ? path : undefined;
}

/** The SHA-256 of a file; undefined if there is none, or an empty one. */
async function contentOf(path: string): Promise<string | undefined> {
  try {
    return (await stat(path)).size === 0 ? undefined : await knownSha256(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Gives a file a second, numbered name, unless an earlier attempt has done so. */
async function keepBeside(path: string, sha256: string): Promise<string> {
  const { dir, name, ext } = parse(path);
  for (let number = 1; ; number++) {
    const kept = join(dir, `${name}.${number}${ext}`);
    const taken = await contentOf(kept);
    if (taken === sha256) return kept;
    if (taken === undefined && (await nameExclusively({ path, sha256 }, kept))) return kept;
  }
}

/** False if the name is taken. */
async function nameExclusively(file: Pick<FileRef, 'path' | 'sha256'>, name: string): Promise<boolean> {
  try {
    await link(file.path, name);
    await syncFolder(dirname(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    await linkFileAtomic(file, name); // a copy, because the file system has no links
  }
  return true;
}

const placeRecord = Type.Object({
  /** Who has put which content (by its SHA-256) at the path, or found it there. */
  owners: Type.Record(Type.String(), Type.Array(Type.String())),

  /** Where the file is that an owner found there. */
  kept: Type.Record(Type.String(), Type.String()),
});
type PlaceRecord = Static<typeof placeRecord>;
const parsePlaceRecord = jsonParser(placeRecord);

/** Without a record, or with a damaged one, every file counts as another owner's. */
async function readRecord(path: string): Promise<PlaceRecord> {
  try {
    return parsePlaceRecord(await readFile(path, 'utf8'), path);
  } catch {
    return { owners: {}, kept: {} };
  }
}

const writeRecord = (path: string, record: PlaceRecord): Promise<void> => writeFileAtomic(path, JSON.stringify(record));
