import { randomBytes } from 'node:crypto';
import { link, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Of } from '../digest.js';
import { temporaryBeside } from '../write-file-atomic.js';
import { createFolder, fileMode } from './create-folder.js';
import { nautilHome } from './package-root.js';
import { syncFolder } from './sync-folder.js';

/**
 * Identifies a state folder, on this machine and elsewhere. Processes with the same id see the same files under the same paths,
 * so a folder that two machines mount at different paths has two ids.
 */
export async function homeId(home: string = nautilHome()): Promise<string> {
  await createFolder(home);
  const file = join(home, 'home-id');
  const temporary = temporaryBeside(file);
  try {
    await writeFile(temporary, `${randomBytes(16).toString('hex')}\n`, { mode: fileMode(temporary), flush: true });
    await link(temporary, file); // exactly one of several processes that start at once creates the id
    await syncFolder(home);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return sha256Of(`${await readFile(file, 'utf8')}${await realpath(home)}`).slice(0, 12);
}
