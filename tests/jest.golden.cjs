const { existsSync } = require('node:fs');
const { resolve } = require('node:path');

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
  // Of several projects Jest takes no limit of theirs.
  testTimeout: 60_000,
  projects: ['<rootDir>/libs/*', '<rootDir>/apps/*', '<rootDir>/tests'],
};
