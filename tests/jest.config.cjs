const preset = require('../jest.preset.cjs');

// The test of every key takes minutes, so it is a target of its own: jest.every-key.cjs.
module.exports = { ...preset, displayName: 'tests', testPathIgnorePatterns: ['every-key\\.test\\.ts$'] };
