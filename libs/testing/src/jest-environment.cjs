const { TestEnvironment } = require('jest-environment-node');

/**
 * Jest's environment for Node, with Node's own arrays: a native addon (onnxruntime's) creates those, and its JavaScript rejects
 * them if a test file has classes of its own with the same names.
 */
module.exports = class extends TestEnvironment {
  constructor(...args) {
    super(...args);
    Object.assign(this.global, { Float32Array, Int32Array });
  }
};
