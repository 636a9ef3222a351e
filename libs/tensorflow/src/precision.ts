import { currentTrace, type Tensor } from './tfjs-backend.js';

/** What matmuls read: float32, or the 16 bits of bfloat16 with sums in float32. */
export type Precision = 'float32' | 'bfloat16';

/**
 * A traced tensor in another float type. tfjs has no name for 16-bit floats and shows them as float32, so cast the result of what
 * is done to them back to float32 before anything else is mixed with it. The gradient goes back in the tensor's own type.
 */
export function castTo(x: Tensor, precision: Precision): Tensor {
  const { graph } = currentTrace('castTo');
  const output = graph.output(x);
  return graph.typeOf(output) === precision ? x : graph.tensor(graph.op('Cast', [output], { DstT: precision }));
}

export type MatMul = (a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean) => Tensor;

/** tf.matMul of float32 tensors, with both inputs rounded to `precision` first; the product is float32. */
export function matMulIn(precision: Precision): MatMul {
  return (a, b, transposeA = false, transposeB = false) => {
    const { tf } = currentTrace('matMulIn');
    if (precision === 'float32') return tf.matMul(a, b, transposeA, transposeB);
    return castTo(tf.matMul(castTo(a, precision), castTo(b, precision), transposeA, transposeB), 'float32');
  };
}
