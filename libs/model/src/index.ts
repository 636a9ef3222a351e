export { hasSegments, requireAllPositions, segmentsOf, type EncoderConfig } from './encoder-config.js';
export { NonFiniteWeight } from './errors.js';
export { Forward, forwardPass, type ModelShape } from './forward.js';
export { huggingFaceClassifier, type HuggingFaceClassifier } from './hugging-face/hugging-face-classifier.js';
export { initialWeight } from './initial-weight.js';
export {
  isAllFinite,
  ModelWeights,
  type NamedArray,
  type ReplicatedVariable,
  sessionDevices,
} from './model-weights.js';
export { hasOnnxExport, type InferencePrecision, onnxFile } from './onnx/export-onnx.js';
export { OnnxForward } from './onnx/onnx-forward.js';
export { parseEncoderConfig } from './parse-encoder-config.js';
export { readWeights } from './read-weights.js';
export type { WeightSpec } from './weight-spec.js';
export { classifierWeights, encoderLayout, encoderPrefix, encoderWeights } from './weights.js';
