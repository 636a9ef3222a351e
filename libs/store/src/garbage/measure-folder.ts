import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Measure {
  files: number;
  sizeBytes: number;

  /** When anything in it last changed, in milliseconds since the epoch; 0 when there is nothing. */
  newestMs: number;
}

/**
 * Measures a file or a folder; 0 files when it does not exist. Files that appear or disappear meanwhile may be counted or not.
 *
 * @param counted - inodes that were counted already, because a file with two names uses its space once
 */
export async function measureFolder(path: string, counted = new Set<string>()): Promise<Measure> {
  const total: Measure = { files: 0, sizeBytes: 0, newestMs: 0 };
  const found = await lstat(path).catch(() => undefined);
  if (!found) return total;
  if (!found.isDirectory()) {
    const inode = `${found.dev}:${found.ino}`;
    if (!counted.has(inode)) total.sizeBytes = found.size;
    counted.add(inode);
    return { ...total, files: 1, newestMs: found.mtimeMs };
  }
  for (const name of await readdir(path).catch((): string[] => [])) {
    const { files, sizeBytes, newestMs } = await measureFolder(join(path, name), counted);
    total.files += files;
    total.sizeBytes += sizeBytes;
    total.newestMs = Math.max(total.newestMs, newestMs);
  }
  return total;
}

/** Counts the space that is freed when files and folders are removed one after another: that of a file, with its last name. */
export class FreedSpace {
  /** Number of names that are removed, by inode. */
  readonly #names = new Map<string, number>();

  /** Bytes that removing these paths frees, after those of earlier calls. */
  async by(paths: readonly string[]): Promise<number> {
    let sizeBytes = 0;
    for (const path of paths) sizeBytes += await this.#byOne(path);
    return sizeBytes;
  }

  async #byOne(path: string): Promise<number> {
    const found = await lstat(path).catch(() => undefined);
    if (!found) return 0;
    if (found.isDirectory())
      return this.by((await readdir(path).catch((): string[] => [])).map((name) => join(path, name)));
    const inode = `${found.dev}:${found.ino}`;
    const names = (this.#names.get(inode) ?? 0) + 1;
    this.#names.set(inode, names);
    // In a collection that removes files, those that were counted before have fewer names by now.
    return names >= found.nlink ? found.size : 0;
  }
}
