export {
  CheckpointError,
  CorruptFile,
  FileUnavailable,
  MissingTensors,
  UnsafePickle,
  UnsupportedFile,
} from './errors.js';
export { openTensors } from './open-tensors.js';
export type { TensorDType } from './tensor-dtype.js';
export type { TensorInfo, TensorSource, TensorToWrite } from './tensor-source.js';
export { writeSafetensors } from './write-safetensors.js';
export { writeTorchZip, type TorchZipOptions } from './torch/write-torch-zip.js';
export { readNemo, type NemoArchive } from './nemo/read-nemo.js';
export { parseNemoYaml, stringifyNemoYaml } from './nemo/nemo-yaml.js';
export { withTarget, writeNemo, type NemoArtifact, type NemoToWrite } from './nemo/write-nemo.js';
export type { Encoder, EncoderLayout } from './encoder/encoder.js';
export { encoderFilesIn, listEncoderFiles, readEncoderConfig } from './encoder/encoder-files.js';
export { fetchEncoder, givenEncoderConfig } from './encoder/fetch-encoder.js';
export { findEncoder } from './encoder/find-encoder.js';
export { openEncoder } from './encoder/open-encoder.js';
export { describeNemo, type NemoDescription } from './nemo/describe-nemo.js';
export { verifyNemo, type NemoCheck, type NemoVerification } from './nemo/verify-nemo.js';
