import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { goldenFolder } from './golden-folder.mjs';

// An input of the test targets: the recorded truth lies outside the workspace, so Nx cannot see it change.
const hash = createHash('sha256');
if (existsSync(goldenFolder)) {
  for (const name of readdirSync(goldenFolder, { recursive: true }).sort()) {
    const { size, mtimeMs } = statSync(join(goldenFolder, name));
    hash.update(`${name}\0${size}\0${mtimeMs}\n`);
  }
}
console.log(hash.digest('hex'));
