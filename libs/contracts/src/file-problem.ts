import { defineError } from './errors.js';

/** A file or a folder that a user named can't be used as it is. A retry would find the same. */
class FileUnusable extends defineError('FileUnusable', 'data') {}

/** What each of the system's error codes means for a path that somebody named. */
const problems: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of its path is a file, not a folder',
  EISDIR: 'is a folder, not a file',
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
 * Converts a system error about a path to FileUnusable, and returns every other error as it is. For the boundary of a program
 * or an activity, so that a path that no check foresaw is still reported in one sentence.
 *
 * @param isUsers - whether the user named the path, rather than Nautil
 */
export function asFileError(error: unknown, isUsers: (path: string) => boolean = () => true): unknown {
  const problem = fileProblem(error);
  const path = textAt(error, 'path');
  if (problem === undefined || path === undefined || !isUsers(path)) return error;
  return new FileUnusable(`${path} ${problem}`, { hint: 'check the path', cause: error });
}

/** A property of a thrown value, which need not be an Error of this realm. */
function textAt(error: unknown, key: 'code' | 'path'): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'string' ? value : undefined;
}
