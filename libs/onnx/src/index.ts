export { OnnxRuntimeError, OnnxRuntimeMissing } from './errors.js';
export { hasByteProducts } from './has-byte-products.js';
export { OnnxGraph, type OnnxModel } from './onnx-graph.js';
export { OnnxSession } from './onnx-session.js';
