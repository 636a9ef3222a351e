import { readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { defineError, type FileRef } from '@nautil/contracts';
import { fileRefsIn } from './file-refs-in.js';
import { knownSha256 } from './known-digests.js';

/** The content of a file is no longer what its reference states. */
export class FileDamaged extends defineError('FileDamaged', 'environment') {
  constructor({ path, sha256 }: Pick<FileRef, 'path' | 'sha256'>) {
    super(`${path} is missing or has changed since the run recorded its SHA-256 (${sha256.slice(0, 12)}…)`, {
      hint: 'resume the run: the stage that made the file runs again; check the disk if nobody changed it',
    });
  }
}

/**
 * Whether a file has the content that its reference states; false also when it is missing or can't be read. The file is read
 * at most once in ten minutes by each process, as long as its inode, size and times are the same.
 */
export async function isIntact({ path, sha256, sizeBytes }: FileRef): Promise<boolean> {
  try {
    return (await stat(path)).size === sizeBytes && (await knownSha256(path)) === sha256;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'EIO'].includes(code)) return false;
    throw error;
  }
}

/** Checks every file reference in a value. Call it before reading a file that another stage made. @throws FileDamaged */
export async function requireIntact(value: unknown): Promise<void> {
  for (const ref of fileRefsIn(value)) if (!(await isIntact(ref))) throw new FileDamaged(ref);
}

/** Renames a damaged file or folder to `NAME.set-aside`, so that it can be examined. Returns the new path. */
export async function setAside(path: string): Promise<string> {
  const taken = await readdir(dirname(path));
  for (let number = 1; ; number++) {
    const name = `${basename(path)}.set-aside${number === 1 ? '' : `-${number}`}`;
    if (taken.includes(name)) continue;
    const to = join(dirname(path), name);
    await rename(path, to);
    return to;
  }
}

/** Whether `setAside` gave a file or folder its name. */
export const isSetAside = (name: string): boolean => /\.set-aside(-\d+)?$/.test(name);
