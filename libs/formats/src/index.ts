export { CheckpointError, CorruptFile, FileUnavailable, UnsupportedFile } from './errors.js';
export { openTensors } from './open-tensors.js';
export type { TensorSource } from './tensor-source.js';
export { writeSafetensors } from './write-safetensors.js';
export { verifySealed, writeSealedSafetensors } from './sealed-safetensors.js';
