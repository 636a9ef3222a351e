const { join, resolve } = require('node:path');

// Golden tests and trainings on the first GPU of this machine: `nx run tests:gpu`.
process.env.TEST_DEVICE = '/device:GPU:0';

const root = resolve(__dirname, '..');

/** One project: its tests for GPUs, and those of its other tests that compute on TEST_DEVICE. */
const project = (folder, others = []) => {
  const { testTimeout, reporters, passWithNoTests, ...config } = require(join(root, folder, 'jest.config.cjs'));
  return {
    ...config,
    rootDir: join(root, folder),
    displayName: `${config.displayName} on a GPU`,
    testMatch: ['**/*.gpu.ts', ...others.map((name) => `**/${name}`)],
  };
};

module.exports = {
  rootDir: root,
  testTimeout: 300_000,
  projects: [
    project('libs/training', ['trajectory.golden.test.ts', 'compiled-step.test.ts', 'train.test.ts']),
    project('tests'),
  ],
};
