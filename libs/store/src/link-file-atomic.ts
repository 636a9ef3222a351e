import { createHash } from 'node:crypto';
import { link, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FileRef } from '@nautil/contracts';
import { explainWriteError } from './disk-full.js';
import { createFolder, readableAsFolder } from './folders/create-folder.js';
import { syncFolder } from './folders/sync-folder.js';
import { FileDamaged } from './intact.js';
import { readChunks } from './streams/read-chunks.js';
import { removeAbandoned, temporaryBeside, writeFileAtomic } from './write-file-atomic.js';

/** Errors of link(2) where a copy is possible: another file system, one without links, too many links, another user's file. */
const needsCopy = ['EXDEV', 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Makes `to` a second name (a hard link) of a file, which takes no space, or a copy where the file system has no links. Readers
 * of `to` see the old file or the new one. Nobody may write to either name in place: replace the file instead.
 *
 * @throws FileDamaged if a copy differs from the digest; a file that is linked is not read
 */
export async function linkFileAtomic(from: Pick<FileRef, 'path' | 'sha256'>, to: string): Promise<void> {
  const temporary = temporaryBeside(to);
  try {
    await createFolder(dirname(to));
    await removeAbandoned(dirname(to));
    if (!(await isLinked(from.path, temporary))) {
      await copyFileAtomic(from, to);
      return;
    }
    await readableAsFolder(temporary);
    await rename(temporary, to);
    await syncFolder(dirname(to));
  } catch (error) {
    throw await explainWriteError(error, to);
  } finally {
    // NOTE: rename(2) leaves the temporary name if both names were the same file already.
    await rm(temporary, { force: true });
  }
}

/** False where there can be no link. */
async function isLinked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (needsCopy.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Makes `to` a copy of a file. Readers of `to` see the old file or the new one. @throws FileDamaged if it differs from the digest */
export async function copyFileAtomic({ path, sha256 }: Pick<FileRef, 'path' | 'sha256'>, to: string): Promise<void> {
  const hash = createHash('sha256');
  const content = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of readChunks(path)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const confirm = (): Promise<void> =>
    hash.digest('hex') === sha256 ? Promise.resolve() : Promise.reject(new FileDamaged({ path, sha256 }));
  await writeFileAtomic(to, content(), { confirm });
}
