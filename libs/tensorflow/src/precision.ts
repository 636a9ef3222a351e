import type { DType } from './host-tensor.js';
import type { Tensor } from './tfjs-types.js';
import { currentTrace, differentiable } from './trace.js';

/** Type of the inputs of matmuls. Products of bfloat16 are summed in float32. */
export type Precision = 'float32' | 'bfloat16';

/**
 * Casts a traced tensor to another float type. tfjs presents 16-bit floats as float32, so cast results back to float32
 * before combining them with float32 tensors. The gradient has the type of `x`.
 */
export function castTo(x: Tensor, precision: Precision): Tensor {
  const { graph, tensor, output } = currentTrace('castTo()');
  const from = graph.typeOf(output(x));
  const cast = (value: Tensor, type: DType) => tensor(graph.op('Cast', [output(value)], { DstT: type }));
  if (from === precision) return x;
  return differentiable(
    [x],
    () => cast(x, precision),
    (dy) => [cast(dy, from)],
  );
}

export type MatMul = (a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean) => Tensor;

/** tf.matMul of float32 tensors, both rounded to `precision` first. The product is float32. */
export function matMulIn(precision: Precision): MatMul {
  return (a, b, transposeA = false, transposeB = false) => {
    const { tf } = currentTrace('matMulIn()');
    if (precision === 'float32') return tf.matMul(a, b, transposeA, transposeB);
    return castTo(tf.matMul(castTo(a, precision), castTo(b, precision), transposeA, transposeB), 'float32');
  };
}
