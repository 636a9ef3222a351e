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
export type { Encoder, EncoderLayout, LayoutTensor } from './encoder/encoder.js';
export { findEncoder, isMegatronName } from './encoder/find-encoder.js';
export { encoderFilesIn, findConfig } from './encoder/encoder-files.js';
export { openEncoder, readEncoderConfig, type EncoderToOpen } from './encoder/open-encoder.js';
export { describeNemo, type NemoDescription } from './nemo/describe-nemo.js';
export { verifyNemo, type NemoCheck, type NemoVerification } from './nemo/verify-nemo.js';
