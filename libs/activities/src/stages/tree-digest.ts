import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DataError } from '@nautil/datasets';
import { sha256File, sha256Of } from '@nautil/store';

/** Digest of a file, or of all files under a folder with their names. */
export async function treeDigest(path: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    throw new DataError(`${path} can't be read`, {
      hint: 'check the path: relative ones are taken from where the run was started',
      cause: error,
    });
  });
  if (found.isFile()) return sha256File(path);
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  files.sort();
  const lines: string[] = [];
  for (const file of files) lines.push(`${relative(path, file)}\0${await sha256File(file)}`);
  return sha256Of(lines.join('\n'));
}
