const { existsSync } = require('node:fs');
const { join, resolve } = require('node:path');

// CommonJS, because Jest's preset loads it, and the programs in tools/ before TypeScript can run.
const workspace = resolve(__dirname, '../../..');
const sharedSet = resolve(workspace, '../shared/golden');
const committedSet = join(workspace, 'tests/golden');

/** The folder of reference data that tests compare with. Throws when GOLDEN names a folder that does not exist. */
exports.chosenGoldenSet = function chosenGoldenSet() {
  const named = process.env.GOLDEN;
  if (!named) return existsSync(sharedSet) ? sharedSet : committedSet;
  const folder = resolve(workspace, named);
  if (existsSync(folder)) return folder;
  throw new Error(`GOLDEN names ${folder}, which does not exist (a relative path starts at ${workspace})`);
};

/** The existing sets, in the order in which parts that a set may lack are looked for. */
exports.goldenSets = function goldenSets() {
  return [...new Set([exports.chosenGoldenSet(), sharedSet, committedSet])].filter((folder) => existsSync(folder));
};

/**
 * The folders of reference encoders, each with one folder per encoder: the one that GOLDEN_ENCODERS names, or else
 * ../shared/golden-encoders where it exists, and the small set in the repository. Throws when GOLDEN_ENCODERS names none.
 */
exports.goldenEncoderSets = function goldenEncoderSets() {
  const named = process.env.GOLDEN_ENCODERS;
  const chosen = named ? resolve(workspace, named) : resolve(workspace, '../shared/golden-encoders');
  if (named && !existsSync(chosen))
    throw new Error(`GOLDEN_ENCODERS names ${chosen}, which does not exist (a relative path starts at ${workspace})`);
  return [...new Set([chosen, join(committedSet, 'encoders')])].filter((folder) => existsSync(folder));
};
