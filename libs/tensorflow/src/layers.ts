import { matMulIn, type Precision } from './precision.js';
import type { Tensor } from './tfjs-types.js';
import { currentTrace } from './trace.js';

/**
 * x·Wᵀ + b, as torch's nn.Linear.
 *
 * @param x - [..., I]
 * @param weight - [O, I]
 * @param bias - [O]
 * @returns [..., O]
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor, precision: Precision = 'float32'): Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  const y = matMulIn(precision)(x.reshape([-1, inputs]), weight, false, true).add(bias);
  return y.reshape([...x.shape.slice(0, -1), outputs]);
}

/**
 * torch's nn.LayerNorm over the last axis.
 *
 * @param x - [..., H]
 * @param gain - [H]
 * @param bias - [H]
 */
export function layerNorm(x: Tensor, gain: Tensor, bias: Tensor, epsilon: number): Tensor {
  const centered = x.sub(x.mean(-1, true));
  const scale = centered.square().mean(-1, true).add(epsilon).rsqrt();
  return centered.mul(scale).mul(gain).add(bias);
}

/** x·Φ(x), computed with the error function: Hugging Face's `gelu`. */
export function gelu(x: Tensor): Tensor {
  const { tf } = currentTrace('gelu()');
  return tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(x).mul(0.5);
}
