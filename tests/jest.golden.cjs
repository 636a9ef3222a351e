const { existsSync, readdirSync } = require('node:fs');
const { join, resolve } = require('node:path');

const root = resolve(__dirname, '..');

// All projects' tests against recorded truth in one run: `nx run tests:golden`. An absent folder is an error here.
const golden = resolve(root, process.env.GOLDEN || '../shared/golden');
if (!existsSync(golden)) {
  throw new Error(
    `${golden} is missing: set GOLDEN to a folder of recorded truth (a relative path is taken from ${root})`,
  );
}

module.exports = {
  rootDir: root,
  testTimeout: 60_000,
  projects: [...foldersIn('libs'), ...foldersIn('apps'), join(root, 'tests')]
    .filter((folder) => existsSync(join(folder, 'jest.config.cjs')))
    .map(asOneOfSeveral),
};

function foldersIn(name) {
  return readdirSync(join(root, name)).map((folder) => join(root, name, folder));
}

/** What Jest takes for a whole run alone, and warns of in one of several projects. */
function asOneOfSeveral(folder) {
  const { testTimeout, reporters, passWithNoTests, ...config } = require(join(folder, 'jest.config.cjs'));
  return { ...config, rootDir: folder };
}
