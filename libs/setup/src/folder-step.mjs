import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// Written into a folder last, when it is complete: a folder without it was left by an interrupted set-up.
const stampName = '.nautil-setup.json';

/** The content of a folder's stamp; undefined when the folder is missing or incomplete. */
export function readStamp(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, stampName), 'utf8'));
  } catch {
    return undefined;
  }
}

export function writeStamp(folder, stamp) {
  writeFileSync(join(folder, `${stampName}.tmp`), `${JSON.stringify(stamp, null, 2)}\n`, { flush: true });
  renameSync(join(folder, `${stampName}.tmp`), join(folder, stampName));
}

/** Moves a finished folder into its place, replacing an older version. */
export function moveIntoPlace(made, target) {
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { recursive: true, force: true });
  renameSync(made, target);
}

export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** The size of all files below a folder, for a progress line. */
export function sizeOfFolder(folder) {
  let bytes = 0;
  const add = (path) => {
    try {
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (entry.isDirectory()) add(join(path, entry.name));
        else bytes += statSync(join(path, entry.name)).size;
      }
    } catch {
      // pip may remove files meanwhile
    }
  };
  add(folder);
  return `${(bytes / 1e6).toFixed(0)} MB so far`;
}
