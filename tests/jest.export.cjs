// Exported models in the programs that load them: `nx run tests:export`.
module.exports = {
  ...require('../jest.preset.cjs'),
  displayName: 'tests-export',
  testMatch: ['<rootDir>/src/*.export.ts'],
};
