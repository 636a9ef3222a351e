import type { Tensor } from './tfjs-types.js';
import { currentTrace, differentiable } from './trace.js';

/** Type of the inputs of matmuls. Products of 16-bit floats are summed in float32, and a sum of float16 is rounded to float16. */
export type Precision = 'float32' | 'bfloat16' | 'float16';

/**
 * Casts a traced tensor to another float type. tfjs presents 16-bit floats as float32, so cast results back to float32
 * before combining them with float32 tensors. The gradient has the type of `x`.
 */
export function castTo(x: Tensor, precision: Precision): Tensor {
  const { graph, tensor, output } = currentTrace('castTo()');
  const from = formatOf(x);
  const cast = (value: Tensor, type: Precision) => tensor(graph.op('Cast', [output(value)], { DstT: type }));
  if (from === precision) return x;
  return differentiable(
    [x],
    () => cast(x, precision),
    (dy) => [cast(dy, from)],
  );
}

/** The type of a traced float tensor, which tfjs does not distinguish. */
export function formatOf(x: Tensor): Precision {
  const { graph, output } = currentTrace('formatOf()');
  const type = graph.typeOf(output(x));
  return type === 'bfloat16' || type === 'float16' ? type : 'float32';
}

interface MatMulOptions {
  transposeA?: boolean;
  transposeB?: boolean;
  /** Type of the product. Default float32. */
  result?: Precision;
}

export type MatMul = (a: Tensor, b: Tensor, o?: MatMulOptions) => Tensor;

/** tf.matMul of tensors that are rounded to `precision` first. */
export function matMulIn(precision: Precision): MatMul {
  return (a, b, { transposeA = false, transposeB = false, result = 'float32' } = {}) => {
    const { tf } = currentTrace('matMulIn()');
    return castTo(tf.matMul(castTo(a, precision), castTo(b, precision), transposeA, transposeB), result);
  };
}

/**
 * a·bᵀ for each row of a batch, with the same `b`, rounded to `precision` first. tfjs's gradient of a matmul does not sum over the
 * rows that share an operand.
 *
 * @param a - [B, A, T, D]
 * @param b - [A, N, D]
 * @returns [B, A, T, N], of `precision`
 */
export function sharedProduct(a: Tensor, b: Tensor, precision: Precision): Tensor {
  const { tf } = currentTrace('sharedProduct()');
  const [x, y] = [castTo(a, precision), castTo(b, precision)];
  return differentiable(
    [x, y],
    (save) => {
      save(x, y);
      return tf.matMul(x, y, false, true);
    },
    (dy, [left, right]) => {
      const ofEachRow = tf.matMul(dy, left!, true); // [B, A, N, D]
      return [tf.matMul(dy, right!), castTo(castTo(ofEachRow, 'float32').sum(0), precision)];
    },
  );
}
