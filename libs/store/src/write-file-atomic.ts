import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { explainWriteError } from './disk-full.js';
import { createFolder, fileMode } from './folders/create-folder.js';
import { syncFolder } from './folders/sync-folder.js';
import { hasEnded, thisProcess } from './process/process-identity.js';

/** Content to write. Of an iterable, only one chunk at a time is in memory. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface WriteOptions {
  /** Called when the content is written. Returns bytes that replace a part of it, such as a digest of the whole. */
  patch?: () => { position: number; bytes: Uint8Array };

  /** Called when the content is on disk, just before readers see it. If it throws, the old content stays in place. */
  confirm?: () => Promise<void>;
}

/**
 * Writes a file completely or not at all, and creates the folders above it: readers see the old or the new content, never a
 * part of it, even after a crash or a power cut. The content is first written to a temporary file beside it, which is removed
 * on failure; temporary files of killed processes are removed by the next write to the folder.
 *
 * @throws DiskFull; then the old content is intact
 */
export async function writeFileAtomic(
  path: string,
  content: FileContent,
  { patch, confirm }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryBeside(path);
  try {
    await createFolder(folder);
    await removeAbandoned(folder);
    const file = await open(temporary, 'wx', fileMode(path));
    try {
      await writeFile(file, content);
      const patched = patch?.();
      if (patched) await file.write(patched.bytes, 0, patched.bytes.length, patched.position);
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

/** A name for a temporary file in the folder of `path`; it contains the identity of this process. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 120)}.${thisProcess}.${randomBytes(4).toString('hex')}.tmp`);
}

const temporaryName = /^\..*\.([0-9a-f]+-\d+-\d+)\.[0-9a-f]{8}\.tmp$/;

/** Whether a file name is that of a temporary file whose writer has ended. */
export function isAbandoned(name: string): boolean {
  const writer = temporaryName.exec(name)?.[1];
  return writer !== undefined && hasEnded(writer);
}

/** Removes the temporary files of processes that were killed while writing to the folder. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (isAbandoned(name)) await rm(join(folder, name), { force: true, recursive: true });
  }
}
