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
export { writeTorchZip, type TorchZipOptions } from './write-torch-zip.js';
export { readNemo, type NemoArchive } from './read-nemo.js';
export { parseNemoYaml, stringifyNemoYaml } from './nemo-yaml.js';
export { withTarget, writeNemo, type NemoArtifact, type NemoToWrite } from './write-nemo.js';
export type { JsonObject, JsonValue } from './json.js';
export type { Encoder, EncoderLayout, LayoutTensor } from './encoder.js';
export { findEncoder, isMegatronName } from './find-encoder.js';
export { encoderFilesIn, findConfig } from './find-weights.js';
export { openEncoder, readEncoderConfig, type EncoderToOpen } from './open-encoder.js';
export { describeNemo, type NemoDescription } from './describe-nemo.js';
export { verifyNemo, type NemoCheck, type NemoVerification } from './verify-nemo.js';
