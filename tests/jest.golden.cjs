const { existsSync, readdirSync } = require('node:fs');
const { join, resolve } = require('node:path');

const root = resolve(__dirname, '..');

// The golden tests of all projects in one run: `nx run tests:golden`.
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
