export type { Encoder, EncoderLayout } from './encoder.js';
export { encoderFilesIn, listEncoderFiles, readEncoderConfig } from './encoder-files.js';
export { fetchEncoder, givenEncoderConfig } from './fetch-encoder.js';
export { findEncoder } from './find-encoder.js';
export { openEncoder } from './open-encoder.js';
