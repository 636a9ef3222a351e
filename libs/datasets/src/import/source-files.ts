import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../data-error.js';

/**
 * The folder in which one of the entries lies: the source itself, or one right inside it, as archives unpack.
 *
 * @throws DataError when there is none; `origin` says where the data is had.
 */
export async function folderWith(source: string, entries: readonly string[], origin: string): Promise<string> {
  if (!(await exists(source))) {
    throw new DataError(`${source} does not exist`, { hint: `get the data from ${origin} and name its folder` });
  }
  for (const folder of [source, ...(await listSorted(source)).map((name) => join(source, name))]) {
    for (const entry of entries) if (await exists(join(folder, entry))) return folder;
  }
  throw new DataError(`${source} has no ${entries.join(', ')}`, {
    hint: `this is not the original layout; get the data from ${origin}`,
  });
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The names in a folder by code unit, so that the order is the same on every machine; none for what is no folder. */
export async function listSorted(folder: string): Promise<string[]> {
  const isFolder = (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
  return isFolder ? (await readdir(folder)).sort() : [];
}

/** The paths of a folder's .txt files, sorted. */
export async function textFiles(folder: string): Promise<string[]> {
  return (await listSorted(folder)).filter((name) => name.endsWith('.txt')).map((name) => join(folder, name));
}
