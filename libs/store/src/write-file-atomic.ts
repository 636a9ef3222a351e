import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { explainWriteError } from './disk-full.js';
import { hasEnded, thisProcess } from './process/process-identity.js';

/** What a file can be written from; of an iterable, one chunk is held at a time. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface WriteOptions {
  /** Called when the content is on disk, right before readers see it; what it throws leaves the old content in place. */
  confirm?: () => Promise<void>;
}

/**
 * Writes a file whole or not at all, creating the folders above it: readers see the old content or the new, never a part,
 * also after a crash or a power cut. The temporary file lies beside it and is removed when anything fails; those of
 * processes that were killed are removed by the next write to the folder.
 *
 * @throws DiskFull when there is no room; the old content is intact.
 */
export async function writeFileAtomic(
  path: string,
  content: FileContent,
  { confirm }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryBeside(path);
  try {
    await mkdir(folder, { recursive: true });
    await removeAbandoned(folder);
    const file = await open(temporary, 'wx');
    try {
      await writeFile(file, content);
      await file.sync();
    } finally {
      await file.close();
    }
    await confirm?.();
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true });
    throw await explainWriteError(error, path);
  }
}

/** A name for a temporary file in the folder of `path`, which tells whose it is. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 120)}.${thisProcess}.${randomBytes(4).toString('hex')}.tmp`);
}

const temporaryName = /^\..*\.([0-9a-f]+-\d+-\d+)\.[0-9a-f]{8}\.tmp$/;

/** Whether a file name is that of a temporary file whose writer is gone. */
export function isAbandoned(name: string): boolean {
  const writer = temporaryName.exec(name)?.[1];
  return writer !== undefined && hasEnded(writer);
}

/** Removes temporary files of processes that were killed while they wrote to the folder. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (isAbandoned(name)) await rm(join(folder, name), { force: true, recursive: true });
  }
}

/** Makes a rename in the folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
