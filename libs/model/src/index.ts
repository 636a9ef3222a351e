export { classify, pool, type ClassifyOptions } from './classify.js';
export { encode, type EncodeOptions, type EncoderInput, type Weights } from './encode.js';
export { maxLength, parseEncoderConfig, type EncoderConfig, type EncoderFamily } from './encoder-config.js';
export { InputTooLong, UnsupportedEncoder } from './errors.js';
export { FirstTokenEncoder, type FirstTokenEncoderOptions } from './first-token-encoder.js';
export { initialWeight } from './initial-weight.js';
export { encoderLayout, encoderWeights, headWeights, type WeightSpec } from './weights.js';
