import { link, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { explainWriteError } from './disk-full.js';
import { createFolder, fileMode } from './folders/create-folder.js';
import { isAbandoned, temporaryBeside } from './write-file-atomic.js';

/**
 * A folder of numbered files of which only the highest counts. link() gives number n + 1 to exactly one claimant, with its
 * content complete at once, and numbers only grow: a claimant that looked, slept and comes back late finds its number taken,
 * or a higher one there, and starts over. That is what makes taking over from the dead safe, where removing a lock file is not
 * (two reclaimers can remove each other's).
 */
export interface Claim {
  number: number;
  content: string;
}

const claimName = /^\d{12}$/;
const fileOf = (folder: string, number: number): string => join(folder, String(number).padStart(12, '0'));

async function highestNumber(folder: string): Promise<number> {
  let highest = 0;
  for (const name of await readdir(folder)) if (claimName.test(name)) highest = Math.max(highest, Number(name));
  return highest;
}

/** The valid claim; number 0 with empty content when there is none yet. */
export async function highestClaim(folder: string): Promise<Claim> {
  for (;;) {
    const number = await highestNumber(folder);
    if (number === 0) return { number, content: '' };
    try {
      return { number, content: await readFile(fileOf(folder, number), 'utf8') };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // removed, because a higher one exists
    }
  }
}

/** Tries to become the claim after `number`; false when another process was faster. */
export async function claimAfter(folder: string, number: number, content: string): Promise<boolean> {
  const mine = fileOf(folder, number + 1);
  const temporary = temporaryBeside(mine);
  try {
    await writeFile(temporary, content, { flag: 'wx', mode: fileMode(temporary) });
    await link(temporary, mine);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw await explainWriteError(error, mine);
  } finally {
    await rm(temporary, { force: true });
  }
  if ((await highestNumber(folder)) > number + 1) {
    await rm(mine, { force: true });
    return false;
  }
  await removeLower(folder, number + 1);
  return true;
}

/**
 * Empties a claim. In place, which needs no space, so that a lock is released on a full disk, too; and without a sync, because
 * after a power cut the holder has ended anyway.
 */
export async function emptyClaim(folder: string, number: number): Promise<void> {
  await truncate(fileOf(folder, number)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // the whole folder was removed
  });
}

async function removeLower(folder: string, number: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if ((claimName.test(name) && Number(name) < number) || isAbandoned(name)) {
      await rm(join(folder, name), { force: true });
    }
  }
}

/** Creates the folder of claims. */
export async function openClaims(folder: string): Promise<void> {
  try {
    await createFolder(folder);
  } catch (error) {
    throw await explainWriteError(error, folder);
  }
}
