export { startClusterServer, type ClusterSession } from './cluster-server.js';
export { refusedSources, type RefusedSource } from './member-sources.js';
export { allGather, allReduce, broadcast, type CollectiveKey } from './collectives.js';
export { dropout, type DropoutDraw } from './dropout.js';
export { OutOfMemory, TensorFlowError } from './errors.js';
export { Graph } from './graph.js';
export { hostTensor, type HostTensor } from './host-tensor.js';
export { inspectTensorFlow } from './inspect-tensorflow.js';
export {
  crossEntropy,
  embedding,
  gelu,
  layerNorm,
  linear,
  type LinearOptions,
  range,
  scaleGradient,
} from './layers.js';
export {
  allowTensorFloat32,
  openTensorFlow,
  preloadTensorFlow,
  requireDeterministicOps,
  tensorFlowLibrary,
} from './library.js';
export type { Output } from './native.js';
export { castTo, type MatMul, matMulIn, type Precision, sharedProduct } from './precision.js';
export { relativeDistances, relativeShift, windows } from './relative-positions.js';
export { rotaryFrequencies, rotate, rotations, type Rotations } from './rotary.js';
export { Session, type Device, type Feed, type RunOptions } from './session.js';
export { TensorViews } from './tensor-views.js';
export type { Tensor } from './tfjs-types.js';
export { tfjs, trace, traceGradients } from './trace.js';
export type { Variable } from './variable.js';
