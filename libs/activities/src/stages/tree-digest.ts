import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DataError } from '@nautil/datasets';
import { knownSha256, sha256Of } from '@nautil/store';

/** Digest of a file, or of all files under a folder with their names. */
export async function treeDigest(path: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    throw new DataError(`${path} can't be read`, {
      hint: 'check the path: relative ones are taken from where the run was started',
      cause: error,
    });
  });
  if (found.isFile()) return knownSha256(path);
  const files = await filesUnder(path, [await realpath(path)]);
  files.sort();
  const lines: string[] = [];
  for (const file of files) lines.push(`${relative(path, file)}\0${await knownSha256(file)}`);
  return sha256Of(lines.join('\n'));
}

/** Follows symbolic links, because every file in the hub's cache is one. */
async function filesUnder(folder: string, above: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const target = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (target?.isFile()) files.push(path);
    if (!target?.isDirectory()) continue;
    const real = await realpath(path);
    if (above.includes(real)) continue;
    for (const file of await filesUnder(path, [...above, real])) files.push(file);
  }
  return files;
}
