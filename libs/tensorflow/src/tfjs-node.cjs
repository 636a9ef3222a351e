// tfjs and the parts of tfjs-node that Nautil uses. CommonJS, since only one `require` gives all of them the same engine. A built
// package contains this file with both packages bundled: tfjs-node's install script would download a native addon.
module.exports = {
  tf: require('@tensorflow/tfjs'),
  NodeJSKernelBackend: require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js').NodeJSKernelBackend,
  registerAllKernels: () => require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js'),
};
