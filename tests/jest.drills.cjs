// The long fault drills, which `npm test` leaves out: `nx run tests:drills`.
module.exports = {
  ...require('../jest.preset.cjs'),
  displayName: 'drills',
  testMatch: ['<rootDir>/src/**/*.drill.ts'],
  testTimeout: 1_500_000,
};
