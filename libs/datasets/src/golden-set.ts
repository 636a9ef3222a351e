import { packageRoot } from '@nautil/store';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const shared = resolve(packageRoot(), '../shared/golden');

/** A path in the recorded truth that tests compare with: the set that GOLDEN names, else the shared one. */
export const golden = (...path: string[]): string => resolve(packageRoot(), process.env['GOLDEN'] || shared, ...path);

/** A path among NeMo's own files, which exist in the shared set alone. */
export const nemoFiles = (...path: string[]): string => resolve(shared, 'nemo-files', ...path);

/** The raw data that the importers' recorded digests were made from. */
export const rawData = (...path: string[]): string => resolve(shared, '..', 'data', ...path);

export function readJson<Value>(path: string): Value {
  return JSON.parse(readFileSync(path, 'utf8')) as Value;
}
