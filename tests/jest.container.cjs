// Builds and runs the image of the Dockerfile without a container engine: `nx run tests:container`.
module.exports = {
  ...require('../jest.preset.cjs'),
  displayName: 'container',
  testMatch: ['<rootDir>/src/**/*.container.ts'],
};
