import type { Tensor } from '@nautil/tensorflow';
import { activationOf } from './activation.js';
import type { EncoderTrace } from './encoder-trace.js';

/** Names of a feed-forward's projections, without `.weight` and `.bias`. */
export interface FeedForwardNames {
  readonly up: string;
  readonly down: string;
}

/** down(activation(up(x))), as BertIntermediate and the dense layer of BertOutput: [N, H] -> [N, H]. */
export const feedForward = (
  trace: EncoderTrace,
  { up, down }: FeedForwardNames,
  activation: string,
  x: Tensor,
): Tensor => trace.linear(down, activationOf(activation)(trace.linear(up, x)));
