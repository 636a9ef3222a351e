// Trainings by several processes, with real servers and workers: `nx run tests:distributed`, longer with `nx run tests:distributed:long`.
module.exports = {
  ...require('../jest.preset.cjs'),
  displayName: 'tests-distributed',
  testMatch: ['<rootDir>/src/distributed*.test.ts'],
};
