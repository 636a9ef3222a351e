import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environmentVariable } from '../environment-variable.js';

let root: string | undefined;

/**
 * The folder of the files that come with Nautil beside its code (`conf`, `samples`): the checkout, or the installed package.
 */
export function packageRoot(): string {
  if (root !== undefined) return root;
  const here = fileURLToPath(import.meta.url);
  let folder = dirname(here);
  while (!existsSync(join(folder, 'conf', 'text_classification_config.yaml'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no folder above ${here} holds conf/text_classification_config.yaml`);
    folder = parent;
  }
  root = folder;
  return root;
}

/** Whether this code runs from a checkout rather than from an installed package. */
export const isCheckout = (): boolean => existsSync(join(packageRoot(), 'nx.json'));

/** Base of relative paths that a request leaves open: the checkout, or for an installed package the current folder. */
export const defaultFolder = (): string => (isCheckout() ? packageRoot() : process.cwd());

/**
 * The state folder, which holds everything that Nautil downloads, computes and records: NAUTIL_HOME; else `.nautil` in the
 * checkout, or for an installed package `nautil` in the user's data folder (XDG_DATA_HOME, `~/.local/share`).
 */
export function nautilHome(): string {
  const chosen = environmentVariable('NAUTIL_HOME');
  if (chosen !== undefined) return resolve(chosen);
  if (isCheckout()) return join(packageRoot(), '.nautil');
  return join(environmentVariable('XDG_DATA_HOME') ?? join(homedir(), '.local', 'share'), 'nautil');
}
