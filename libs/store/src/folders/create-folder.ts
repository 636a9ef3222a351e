import { mkdirSync } from 'node:fs';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { nautilHome } from './package-root.js';
import { syncFolder, syncFolderSync } from './sync-folder.js';

/**
 * Creates a folder and those above it. In the state folder, only the user may enter them, whatever the umask: it holds
 * configurations and data. Elsewhere, where users want their results, the umask decides. The folders survive a power cut: syncing
 * a file and its folder does not help if the folder's own name is lost.
 */
export async function createFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: folderMode(path) });
  for (const parent of parentsOf(path, first)) await syncFolder(parent).catch(ignoreUnreadable);
}

/** createFolder without a promise. */
export function createFolderSync(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: folderMode(path) });
  for (const parent of parentsOf(path, first)) {
    try {
      syncFolderSync(parent);
    } catch (error) {
      ignoreUnreadable(error);
    }
  }
}

/** The folders that hold the names of new ones, from the lowest up. @param first - the highest that was created, if any */
function parentsOf(path: string, first: string | undefined): string[] {
  if (first === undefined) return [];
  const parents: string[] = [];
  const highest = dirname(resolve(first));
  for (let folder = dirname(resolve(path)); folder.length > highest.length; folder = dirname(folder))
    parents.push(folder);
  return [...parents, highest];
}

/** A user who may create folders in a folder may still lack the right to read it, which syncing it needs. */
function ignoreUnreadable(error: unknown): void {
  if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
}

/** The mode to create a file with: in the state folder, only the user may read it; elsewhere the umask decides. */
export const fileMode = (path: string): number => (isInHome(path) ? 0o600 : 0o666);

/** Lets others read a file if they may read its folder. A file that was linked from the state folder allows only the user. */
export async function readableAsFolder(path: string): Promise<void> {
  await chmod(path, 0o600 | ((await stat(dirname(path))).mode & 0o044));
}

const folderMode = (path: string): number => (isInHome(path) ? 0o700 : 0o777);

/** Whether a path is that of the state folder, or of a part of it. Links are not followed. */
export const isInHome = (path: string): boolean => contains(nautilHome(), resolve(path));

/** Whether a path is that of a folder, or is in it. Both are absolute, and links are not followed. */
export function contains(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith('../');
}
