import { packageRoot } from '@nautil/store';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const shared = resolve(packageRoot(), '../shared/golden');
const chosen = process.env['GOLDEN'] ? resolve(packageRoot(), process.env['GOLDEN']) : shared;

/** A path in the recorded truth that the tests run against: the set that GOLDEN names, else the shared one. */
export function golden(...parts: string[]): string {
  // These two were recorded once; other sets don't repeat them.
  const onlyShared = parts[0]?.startsWith('nemo-files') || parts.join('/').startsWith('nemo/run_artifacts');
  return join(onlyShared ? shared : chosen, ...parts);
}

/** Files of a golden folder with one of the endings, as full paths, in order. Throws when there is none: a kind is missing. */
export function goldenFiles(folder: string, ...endings: string[]): string[] {
  const root = golden(folder);
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .filter((name) => existsSync(join(root, name)))
    .map((name) => join(root, name))
    .sort();
  if (found.length === 0) throw new Error(`${root} has no file that ends in ${endings.join(' or ')}`);
  return found;
}
