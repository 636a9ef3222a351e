import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nautilHome } from './package-root.js';

/** The parts of the state folder that have configurations in them, or data of the user. */
const confidential = /^(?:runs|store|logs|mlflow|temporal|tmp|stack\.json|temporal\.db.*)$/;

const ofOthers = 0o077;

/**
 * Takes the rights of other users from a state folder and its files that an older version created. The folder's own mode is
 * changed last, so that the next call completes an interrupted one.
 *
 * @returns a note for the user; undefined when there was nothing to change
 */
export async function closeHome(home: string = nautilHome()): Promise<string | undefined> {
  const found = await lstat(home).catch(() => undefined);
  if (!found?.isDirectory() || (found.mode & ofOthers) === 0) return undefined;
  const mode = (found.mode & 0o777).toString(8);
  try {
    for (const name of await readdir(home)) if (confidential.test(name)) await close(join(home, name));
    await chmod(home, found.mode & 0o700);
    return `other users could enter the state folder ${home} (mode ${mode}); now only you can`;
  } catch (error) {
    return `other users can enter the state folder ${home} (mode ${mode}), and this cannot be changed: ${(error as Error).message}`;
  }
}

async function close(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined); // a running stack removes files meanwhile
  if (!found || found.isSymbolicLink()) return;
  if (found.isDirectory()) for (const name of await readdir(path)) await close(join(path, name));
  if ((found.mode & ofOthers) !== 0) await chmod(path, found.mode & 0o700);
}
