import { range } from './layers.js';
import type { Tensor } from './tfjs-types.js';
import { currentTrace, differentiable } from './trace.js';

/** cos and sin of each position's angles: two of [T, D/2]. */
export interface Rotations {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** By how much each pair of a vector of `headSize` numbers turns from one position to the next. */
export const rotaryFrequencies = (headSize: number, theta: number): Float32Array =>
  Float32Array.from({ length: headSize / 2 }, (_, pair) => 1 / theta ** ((2 * pair) / headSize));

/**
 * The rotations of rotary positions (Su et al., 2021, RoFormer). Pair k of position t turns by t·theta^(-2k/D).
 *
 * @param length - T, which may be a free size
 * @param headSize - D, an even number
 */
export function rotations(length: number, headSize: number, theta: number): Rotations {
  const { tf } = currentTrace('rotations()');
  const frequencies = rotaryFrequencies(headSize, theta);
  const pairs = frequencies.length;
  const angles = range(length)
    .toFloat()
    .reshape([length, 1])
    .mul(tf.tensor1d(frequencies).reshape([1, pairs])); // [T, D/2]
  return { cos: angles.cos(), sin: angles.sin() };
}

/**
 * Turns the pairs (x[k], x[k + D/2]) of each vector, as apply_rotary_pos_emb of transformers.
 *
 * @param x - [..., T, D], float32
 */
export function rotate(x: Tensor, { cos, sin }: Rotations): Tensor {
  return differentiable(
    [x],
    (save) => {
      save(cos, sin);
      return turned(x, cos, sin);
    },
    (dy, [c, s]) => [turned(dy, c!, s!.neg())],
  );
}

function turned(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const { tf } = currentTrace('rotate()');
  const [a, b] = tf.split(x, 2, -1) as [Tensor, Tensor];
  return tf.concat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1);
}
