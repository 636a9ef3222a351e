const { resolve } = require('node:path');
const { chosenGoldenSet } = require('./libs/testing/src/golden-sets.cjs');

// An absolute path, so that programs which tests start in other folders use the same golden set.
process.env.GOLDEN = chosenGoldenSet();

// What tests read of programs has no colours, also where Nx asks for them.
process.env.NO_COLOR = '1';
delete process.env.FORCE_COLOR;

// ES modules under Jest: needs NODE_OPTIONS=--experimental-vm-modules, which the targets in nx.json and package.json set.
module.exports = {
  testEnvironment: resolve(__dirname, 'libs/testing/src/jest-environment.cjs'),
  testMatch: ['<rootDir>/src/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testTimeout: 60_000,
  passWithNoTests: true,
  reporters: ['default', resolve(__dirname, 'tools/test/count-reporter.cjs')],
};
