// Installs Jupyter and the kernel from their registries, and executes the notebook of the tutorial: `nx run tools:notebook`.
module.exports = {
  ...require('../jest.preset.cjs'),
  displayName: 'tools-notebook',
  testMatch: ['<rootDir>/src/tutorial.notebook.ts'],
};
