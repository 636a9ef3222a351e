// A built package contains this file with onnxruntime-node bundled, and the binary for linux/x64 beside it: the npm package has the
// binaries of six platforms (288 MB), and its install script downloads CUDA's.
module.exports = require('onnxruntime-node');
