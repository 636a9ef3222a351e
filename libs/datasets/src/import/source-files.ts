import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DataError } from '../data-error.js';
import { notOriginal } from './conversion.js';

/** Repository archives nest their data this deep: `recursive_chemprot-master/Demo/tree_LSTM/data`. */
const deepest = 4;

/**
 * Finds the folder that contains one of the entries: the source itself, or the first such folder inside it.
 *
 * @param origin - where users obtain the data, for the hint
 * @throws DataError when there is none
 */
export async function folderWith(source: string, entries: readonly string[], origin: string): Promise<string> {
  if (!(await exists(source))) {
    throw new DataError(`${source} does not exist`, { hint: `download the data from ${origin} and name its folder` });
  }
  const found = await findFolderWith(source, entries);
  if (found !== undefined) return found;
  throw new DataError(`${source} has no ${entries.join(', ')}`, {
    hint: `this is not the original layout; download the data from ${origin}`,
  });
}

/** As `folderWith`, but returns undefined when there is none. */
export async function findFolderWith(source: string, entries: readonly string[]): Promise<string | undefined> {
  let level = [source];
  for (let depth = 0; depth <= deepest; depth++) {
    for (const folder of level) {
      for (const entry of entries) if (await exists(join(folder, entry))) return folder;
    }
    const inside: string[] = [];
    for (const folder of level) for (const found of await foldersIn(folder)) inside.push(found);
    level = inside;
  }
  return undefined;
}

export async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const folders: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const isFolder = entry.isSymbolicLink()
      ? await stat(path).then(
          (target) => target.isDirectory(),
          () => false,
        )
      : entry.isDirectory();
    if (isFolder) folders.push(path);
  }
  return folders.sort();
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The names in a folder, sorted by code unit, so that the order is the same on every machine. Empty for a non-folder. */
export async function listSorted(folder: string): Promise<string[]> {
  const isFolder = (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
  return isFolder ? (await readdir(folder)).sort() : [];
}

/** The paths of a folder's .txt files, sorted; hidden files, such as the `._x.txt` that macOS adds to archives, are left out. */
export async function textFiles(folder: string): Promise<string[]> {
  return (await listSorted(folder))
    .filter((name) => name.endsWith('.txt') && !name.startsWith('.'))
    .map((name) => join(folder, name));
}

/**
 * Checks the classes of a dataset whose texts are in one folder for each class.
 *
 * @throws DataError when another folder has texts, too: they would be left out, and the labels could mean other classes
 */
export async function refuseOtherClasses(root: string, classes: readonly string[], dataset: string): Promise<void> {
  for (const folder of await foldersIn(root)) {
    const name = basename(folder);
    if (classes.includes(name) || name.startsWith('.')) continue;
    const [text] = await textFiles(folder);
    if (text === undefined) continue;
    throw new DataError(`${text}: ${name} is not a class of ${dataset}, which has ${classes.join(', ')}`, {
      hint: notOriginal(dataset),
    });
  }
}
