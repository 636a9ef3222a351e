// The programs of this folder run before TypeScript can be: their tests stand in src and start them as people do.
module.exports = { ...require('../jest.preset.cjs'), displayName: 'tools', testTimeout: 120_000 };
