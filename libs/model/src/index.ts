export { maxLength, parseEncoderConfig, requireAllPositions, type EncoderConfig } from './encoder-config.js';
export { NonFiniteWeight } from './errors.js';
export { Forward, forwardPass, type ModelShape } from './forward.js';
export { initialWeight } from './initial-weight.js';
export {
  isAllFinite,
  ModelWeights,
  type NamedArray,
  type ReplicatedVariable,
  sessionDevices,
} from './model-weights.js';
export type { InferencePrecision } from './export-onnx.js';
export { OnnxForward } from './onnx-forward.js';
export { readWeights } from './read-weights.js';
export { classifierWeights, encoderLayout, encoderPrefix, encoderWeights, type WeightSpec } from './weights.js';
