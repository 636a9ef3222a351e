export { CheckpointError, CorruptFile, MissingTensors, UnsafePickle, UnsupportedFile } from './errors.js';
export { openTensors } from './open-tensors.js';
export type { TensorDType } from './tensor-dtype.js';
export type { TensorInfo, TensorSource, TensorToWrite } from './tensor-source.js';
export { writeSafetensors } from './write-safetensors.js';
export { writeTorchZip, type TorchZipOptions } from './write-torch-zip.js';
