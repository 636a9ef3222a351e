module.exports = { ...require('../../jest.preset.cjs'), displayName: 'python-format' };
