import { stat } from 'node:fs/promises';
import { ConfigError } from '@nautil/config';
import { isNemo } from '@nautil/formats/nemo';
import { isPlaced } from '@nautil/store';

/**
 * Checks that the file at which a run writes its archive may be replaced: there is none, it is empty, it is an archive, or a run has put
 * an archive there, which may be damaged since. NeMo replaces any file; Nautil does not, because the path may be a mistake or a
 * stranger's choice.
 *
 * @throws ConfigError
 */
export async function requireReplaceable(key: string, path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (found.isFile() && (found.size === 0 || (await isNemo(path)) || (await isPlaced(path)))) return;
  const what = found.isDirectory()
    ? 'a folder'
    : found.isFile()
      ? 'a file that is not a .nemo archive'
      : 'a special file';
  throw new ConfigError([
    {
      key,
      message: `${key}: ${path} is ${what}, and is not replaced`,
      hint: ['name another file that the run should write, or remove this one'],
    },
  ]);
}
