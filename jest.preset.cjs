const { resolve } = require('node:path');

// Everywhere the same folder, whatever the current one is.
process.env.GOLDEN = resolve(__dirname, process.env.GOLDEN || '../shared/golden');

// What tests read of programs has no colours, also where Nx asks for them.
process.env.NO_COLOR = '1';
delete process.env.FORCE_COLOR;

// ES modules under Jest: needs NODE_OPTIONS=--experimental-vm-modules, which the root .env gives to Nx.
module.exports = {
  testEnvironment: 'node',
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
