import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { goldenSets } from '../../libs/testing/src/golden-sets.cjs';

// An input of the test targets: golden sets outside the workspace change without Nx noticing.
const hash = createHash('sha256');
const rawData = (set) => join(set, '../data'); // of the larger set, which is recorded from it
for (const folder of goldenSets()
  .flatMap((set) => [set, rawData(set)])
  .filter((path) => existsSync(path))) {
  for (const name of readdirSync(folder, { recursive: true }).sort()) {
    const { size, mtimeMs } = statSync(join(folder, name));
    hash.update(`${name}\0${size}\0${mtimeMs}\n`);
  }
}
console.log(hash.digest('hex'));
