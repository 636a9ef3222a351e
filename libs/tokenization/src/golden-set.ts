import { packageRoot } from '@nautil/store';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const shared = resolve(packageRoot(), '../shared/golden');

/** A path in the recorded truth that tests compare with: the set that GOLDEN names, else the shared one. */
export const golden = (...path: string[]): string => resolve(packageRoot(), process.env['GOLDEN'] || shared, ...path);

/** A path in the shared set: NeMo's own files, and the full vocabulary that they were recorded with, exist there alone. */
export const sharedGolden = (...path: string[]): string => resolve(shared, ...path);

export function readJson<Value>(path: string): Value {
  return JSON.parse(readFileSync(path, 'utf8')) as Value;
}
