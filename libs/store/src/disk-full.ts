import { defineError } from '@nautil/contracts';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** No room (or no quota) left on the file system of a file that was being written. */
export class DiskFull extends defineError('DiskFull', 'environment', { retryable: true }) {
  /** The file that was being written; nothing of it was kept. */
  readonly path: string;

  constructor(path: string, freeBytes: number | undefined, cause?: unknown, left = 'nothing half-written was left') {
    const free = freeBytes === undefined ? '' : ` (${formatBytes(freeBytes)} free)`;
    super(`${path}: no room left on the disk while writing it${free}`, {
      hint:
        `${left}; free some space and run the same command again\n` +
        '`npx nautil store gc --dry-run` lists what Nautil itself can give back',
      cause,
    });
    this.path = path;
  }
}

/** Bytes as people read them, in powers of 1,000: `12.3 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${value} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}

/** Free bytes for this user on the file system that holds (or would hold) the path; undefined when it can't be read. */
export async function freeBytesAt(path: string): Promise<number | undefined> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    } catch {
      if (dirname(folder) === folder) return undefined;
    }
  }
}

/**
 * A DiskFull when the error means that the disk or the quota is full, else the error itself: `throw await explainWriteError(e, path)`.
 *
 * @param left what is left of the write, when that is not nothing
 */
export async function explainWriteError(error: unknown, path: string, left?: string): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new DiskFull(path, await freeBytesAt(dirname(path)), error, left);
}
