const preset = require('../../jest.preset.cjs');

// The tests of the documentation are a target of their own, which a change to a page repeats: jest.docs.cjs.
module.exports = { ...preset, displayName: 'cli', testPathIgnorePatterns: ['\\.docs\\.test\\.ts$'] };
