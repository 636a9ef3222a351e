export { OnnxRuntimeError, OnnxRuntimeMissing } from './errors.js';
export { OnnxGraph, type OnnxModel } from './onnx-graph.js';
export { OnnxSession } from './onnx-session.js';
