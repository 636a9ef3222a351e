// Tests the effect of every configuration key with real runs: `nx run tests:every-key`.
module.exports = {
  ...require('../jest.preset.cjs'),
  displayName: 'tests-every-key',
  testMatch: ['<rootDir>/src/every-key.test.ts'],
};
