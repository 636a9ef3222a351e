import { mkdirSync } from 'node:fs';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { nautilHome } from './package-root.js';

/**
 * Creates a folder and those above it. In the state folder, only the user may enter them, whatever the umask: it holds
 * configurations and data. Elsewhere, where users want their results, the umask decides.
 */
export async function createFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: folderMode(path) });
}

/** createFolder without a promise. */
export function createFolderSync(path: string): void {
  mkdirSync(path, { recursive: true, mode: folderMode(path) });
}

/** The mode to create a file with: in the state folder, only the user may read it; elsewhere the umask decides. */
export const fileMode = (path: string): number => (isInHome(path) ? 0o600 : 0o666);

/** Lets others read a linked or copied file if they may read its folder: it has the mode of the original, maybe of the state folder. */
export async function readableAsFolder(path: string): Promise<void> {
  await chmod(path, 0o600 | ((await stat(dirname(path))).mode & 0o044));
}

const folderMode = (path: string): number => (isInHome(path) ? 0o700 : 0o777);

function isInHome(path: string): boolean {
  const way = relative(nautilHome(), resolve(path));
  return way !== '..' && !way.startsWith('../');
}
