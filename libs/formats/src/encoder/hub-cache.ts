import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedSnapshot } from '@nautil/store';
import { FileUnavailable } from '../errors.js';

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
  const found = await cachedSnapshot(repository);
  if (found !== undefined) return found;
  const present = await readdir(join(repository, 'snapshots')).catch((): string[] => []);
  throw new FileUnavailable(repository, `it has ${present.length} snapshots, and refs/main names none of them`, {
    hint:
      present.length > 0
        ? `give the folder of one: ${join(repository, 'snapshots', present[0] ?? '')}`
        : 'download the model again',
  });
}
