import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { environmentVariable } from '@nautil/store';
import { nautilHome } from '@nautil/store/folders';

export const libraryName = 'libtensorflow_cc.so.2';

/** The folder with one folder for each installed version and build. */
export const librariesFolder = (): string => join(nautilHome(), 'tensorflow');

/**
 * The path of TensorFlow's library: the variable LIBTENSORFLOW, else the newest in `librariesFolder`, in which `2.21.0-gpu` is newer
 * than `2.21.0`. Undefined when none is installed.
 */
export function installedLibrary(): string | undefined {
  const named = environmentVariable('LIBTENSORFLOW');
  if (named !== undefined) return resolve(named);
  const folder = librariesFolder();
  const versions = existsSync(folder)
    ? readdirSync(folder).filter((version) => existsSync(join(folder, version, libraryName)))
    : [];
  const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  return newest === undefined ? undefined : join(folder, newest, libraryName);
}
