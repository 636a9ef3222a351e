import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { goldenEncoderSets, goldenSets } from '../../libs/testing/src/golden-sets.cjs';

// An input of the test targets, because Nx does not notice changes of a golden set outside the workspace.
const hash = createHash('sha256');
const rawData = (set) => join(set, '../data'); // the raw data from which the larger set was recorded
for (const folder of goldenSets()
  .flatMap((set) => [set, rawData(set)])
  .concat(goldenEncoderSets())
  .filter((path) => existsSync(path))) {
  for (const name of readdirSync(folder, { recursive: true }).sort()) {
    const { size, mtimeMs } = statSync(join(folder, name));
    hash.update(`${name}\0${size}\0${mtimeMs}\n`);
  }
}
console.log(hash.digest('hex'));
