import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The absolute path for a path as a user writes it: relative to `cwd`, or to the home folder after `~/`. */
export function userPath(cwd: string, path: string): string {
  if (path === '~') return homedir();
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(cwd, path);
}
