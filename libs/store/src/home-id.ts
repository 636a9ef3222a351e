import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Of } from './digest.js';
import { nautilHome } from './package-root.js';
import { temporaryBeside } from './write-file-atomic.js';

/**
 * Tells one state folder from all others, on this machine and elsewhere. Processes with the same id find one another's files
 * under the same paths: a folder that two machines mount at different places has two.
 */
export async function homeId(home: string = nautilHome()): Promise<string> {
  await mkdir(home, { recursive: true });
  const file = join(home, 'home-id');
  const temporary = temporaryBeside(file);
  try {
    await writeFile(temporary, `${randomBytes(16).toString('hex')}\n`);
    await link(temporary, file); // exactly one of several that start at once gives the id
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return sha256Of(`${await readFile(file, 'utf8')}${await realpath(home)}`).slice(0, 12);
}
