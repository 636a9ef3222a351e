import type { Tensor } from '@nautil/tensorflow';
import type { EncoderConfig } from './encoder-config.js';
import { familyOf } from './families/index.js';
import { type EncodeOptions, type EncoderInput, EncoderTrace, type Weights } from './layers/encoder-trace.js';

/**
 * The last hidden states of an encoder: [B, T, H], or [B, H] with `firstTokenOnly`. For use inside `trace`.
 *
 * @example
 * const first = encode(config, weights, { ids, mask }, { firstTokenOnly: true });
 */
export function encode(config: EncoderConfig, weights: Weights, input: EncoderInput, o: EncodeOptions = {}): Tensor {
  const hidden = familyOf(config).encode(config, new EncoderTrace(weights, input, o));
  return o.firstTokenOnly ? hidden : hidden.reshape([...input.ids.shape, config.hiddenSize]);
}
