import { join } from 'node:path';
import { sha256Of } from '../digest.js';
import { nautilHome } from './package-root.js';

/** The folder that holds the folders of all runs and sweeps. */
export const runsFolder = (home: string = nautilHome()): string => join(home, 'runs');

/**
 * The folder of one run, whatever characters its id holds. It is not created.
 *
 * @param runKey distinguishes the runs of one workflow id; a sweep uses `sweep`
 */
export const runFolder = (workflowId: string, runKey: string, home?: string): string =>
  join(runsFolder(home), folderName(`${workflowId}/${runKey}`));

/** Turns a key into one folder name: a readable part and a hash that keeps different keys apart, or the key if it is plain. */
export function folderName(key: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(key)) return key;
  return `${key.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 60)}~${sha256Of(key).slice(0, 12)}`;
}
