export { CheckpointError, CorruptFile, FileUnavailable, UnsupportedFile } from './errors.js';
export { openTensors } from './open-tensors.js';
export type { TensorSource } from './tensor-source.js';
export { safetensorsDigest, writeSafetensors } from './write-safetensors.js';
export { sealMetadata, verifySealed } from './sealed-safetensors.js';
