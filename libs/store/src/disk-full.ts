import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { defineError } from '@nautil/contracts';

/** The disk, or the quota, is full while a file is written. */
export class DiskFull extends defineError('DiskFull', 'environment', { retryable: true }) {
  /** The file that was being written. */
  readonly path: string;

  constructor(path: string, free: FreeSpace | undefined, cause?: unknown, left = 'no partial file was left behind') {
    const bytes = free === undefined ? '' : ` (${formatBytes(free.bytes)} free)`;
    const problem = free?.hasInodes === false ? 'the disk has too many files: no inode is left' : 'the disk is full';
    super(`${path}: ${problem}${bytes}`, {
      hint:
        `${left}; free some space and run the same command again\n` +
        '`npx nautil store gc --dry-run` lists what Nautil itself can delete',
      cause,
    });
    this.path = path;
  }
}

/** Formats a number of bytes for people, in powers of 1,000: `12.3 MB`. */
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

/** Bytes that this user may still write on the file system of the path, which need not exist; undefined when unknown. */
export async function freeBytesAt(path: string): Promise<number | undefined> {
  return (await freeSpaceAt(path))?.bytes;
}

interface FreeSpace {
  bytes: number;

  /** False when no further file can be created. Some file systems have no fixed number of them. */
  hasInodes: boolean;
}

async function freeSpaceAt(path: string): Promise<FreeSpace | undefined> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize, files, ffree } = await statfs(folder);
      return { bytes: bavail * bsize, hasInodes: files === 0 || ffree > 0 };
    } catch {
      if (dirname(folder) === folder) return undefined;
    }
  }
}

/**
 * Turns an error into a DiskFull when it means that the disk or the quota is full, and returns any other error unchanged. Use
 * it as `throw await explainWriteError(error, path)`.
 *
 * @param left describes what was kept, unless nothing was
 */
export async function explainWriteError(error: unknown, path: string, left?: string): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new DiskFull(path, await freeSpaceAt(dirname(path)), error, left);
}
