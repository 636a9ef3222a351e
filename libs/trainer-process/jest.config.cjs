module.exports = { ...require('../../jest.preset.cjs'), displayName: 'trainer-process' };
