const preset = require('../jest.preset.cjs');

// Tests with targets of their own: jest.every-key.cjs and jest.distributed.cjs.
module.exports = {
  ...preset,
  displayName: 'tests',
  testPathIgnorePatterns: ['(every-key|distributed[^/]*)\\.test\\.ts$'],
};
