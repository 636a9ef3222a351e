import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

let root: string | undefined;

/** The absolute path of the checkout: the nearest folder above this file that holds nx.json. */
export function workspaceRoot(): string {
  if (root !== undefined) return root;
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'nx.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no nx.json in any folder above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
  root = folder;
  return root;
}

/** The folder of everything that Nautil downloads, makes and remembers: NAUTIL_HOME, or `.nautil` in the workspace root. */
export function nautilHome(): string {
  const chosen = process.env['NAUTIL_HOME'];
  return chosen ? resolve(chosen) : join(workspaceRoot(), '.nautil');
}
