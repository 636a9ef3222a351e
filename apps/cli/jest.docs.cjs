// What the pages state about the program: `nx run cli:docs`.
module.exports = {
  ...require('../../jest.preset.cjs'),
  displayName: 'cli-docs',
  testMatch: ['<rootDir>/src/**/*.docs.test.ts'],
};
