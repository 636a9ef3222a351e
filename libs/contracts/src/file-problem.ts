import { defineError, NautilError } from './errors.js';

/** A file or a folder that a user named can't be used as it is. A retry would find the same. */
class FileUnusable extends defineError('FileUnusable', 'data') {}

/** The file system or the process has no more of what a file needs. A retry may succeed. */
class StorageExhausted extends defineError('StorageExhausted', 'environment', { retryable: true }) {}

const shortages: Readonly<Record<string, readonly [problem: string, remedy: string]>> = {
  ENOSPC: [
    'the file system has no space left, or no inodes, of which each file needs one',
    'free some (`df -h`, `df -i`)',
  ],
  EDQUOT: ['the quota of the user is used up', 'delete files, or have the quota raised'],
  EIO: ['the disk reports an error', 'check the disk (`dmesg`)'],
  EMFILE: ['the process has too many open files', 'raise its limit (`ulimit -n`)'],
  ENFILE: ['the system has too many open files', 'end other programs, or raise the limit (`sysctl fs.file-max`)'],
};

/** What each of the system's error codes means for a path that somebody named. */
const problems: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of its path is a file, not a folder',
  EISDIR: 'is a folder, not a file',
  ENOTREG: 'is a pipe, a socket or a device, not a file',
  ENXIO: 'is a socket or a device, not a file',
  EACCES: "can't be opened: permission denied",
  EPERM: "can't be opened: the operation is not permitted",
  EROFS: "can't be written: the file system is read-only",
  ELOOP: "can't be opened: its symbolic links form a loop",
  ENAMETOOLONG: "can't be opened: its name is too long",
};

/**
 * What is wrong with the path of a system error, as the end of a sentence that starts with the path. Undefined for other
 * errors, such as a full disk, which may pass without the user changing the path.
 */
export function fileProblem(error: unknown): string | undefined {
  const code = textAt(error, 'code');
  return code !== undefined && Object.hasOwn(problems, code) ? problems[code] : undefined;
}

/**
 * Converts a system error about a path to FileUnusable, and one about a shortage to StorageExhausted, and returns every other
 * error as it is. For the boundary of a program or an activity, so that a problem that no check foresaw is still reported in one
 * sentence.
 *
 * @param isUsers - whether the user named the path, rather than Nautil
 */
export function asFileError(error: unknown, isUsers: (path: string) => boolean = () => true): unknown {
  const path = textAt(error, 'path');
  const shortage = shortageOf(error);
  if (shortage !== undefined) {
    const where = path === undefined ? '' : `${path}: `;
    const [what, remedy] = shortage;
    return new StorageExhausted(`${where}${what}`, {
      hint: `${remedy}, then run the same command again`,
      cause: error,
    });
  }
  const problem = fileProblem(error);
  if (problem === undefined || path === undefined || !isUsers(path)) return error;
  return new FileUnusable(`${path} ${problem}`, { hint: 'check the path', cause: error });
}

function shortageOf(error: unknown): (typeof shortages)[string] | undefined {
  if (error instanceof NautilError) return undefined;
  const code = textAt(error, 'code');
  return code !== undefined && Object.hasOwn(shortages, code) ? shortages[code] : undefined;
}

/** A property of a thrown value, which need not be an Error of this realm. */
function textAt(error: unknown, key: 'code' | 'path'): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'string' ? value : undefined;
}
