import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { packageRoot } from '@nautil/store';

/** The recorded truth that tests compare with: GOLDEN, or the set beside the checkout. */
export const goldenFolder = resolve(packageRoot(), process.env['GOLDEN'] ?? '../shared/golden');

/** What exists in the shared set alone (NeMo's own files) is read from there whatever GOLDEN is. */
export const sharedGolden = resolve(packageRoot(), '../shared/golden');

export const readGolden = <T>(name: string, folder = goldenFolder): T =>
  JSON.parse(readFileSync(resolve(folder, name), 'utf8')) as T;
