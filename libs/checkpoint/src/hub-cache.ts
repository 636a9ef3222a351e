import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileUnavailable } from './errors.js';

/** Whether a folder is a repository of the hub's cache (`models--ORG--NAME`) rather than a model. */
export function isHubRepository(folder: string): boolean {
  return existsSync(join(folder, 'snapshots')) && !existsSync(join(folder, 'config.json'));
}

/**
 * The folder of the model in a repository of the hub's cache: the revision that refs/main names, else the only one.
 *
 * @throws FileUnavailable when neither says which
 */
export async function snapshotOf(repository: string): Promise<string> {
  const snapshots = join(repository, 'snapshots');
  const reference = await readFile(join(repository, 'refs', 'main'), 'utf8').catch(() => '');
  const revision = reference.trim();
  if (/^[\w-]+$/.test(revision) && existsSync(join(snapshots, revision))) return join(snapshots, revision);
  const present = await readdir(snapshots).catch((): string[] => []);
  if (present.length === 1 && present[0] !== undefined) return join(snapshots, present[0]);
  throw new FileUnavailable(
    repository,
    `it has ${present.length} snapshots, and refs/main names ${revision === '' ? 'none' : `${revision}, which is not there`}`,
    {
      hint:
        present.length > 0
          ? `give the folder of one: ${join(snapshots, present[0] ?? '')}`
          : 'download the model again',
    },
  );
}
