import type { Output } from './native.js';
import { castTo, formatOf, type Precision } from './precision.js';
import type { Tensor } from './tfjs-types.js';
import { currentTrace, differentiable } from './trace.js';

export interface LinearOptions {
  /** Type of the inputs of the matmuls, and of the bias that is added to the product. Default float32. */
  precision?: Precision;
  /** Type of the result. Default float32. */
  result?: Precision;
}

/**
 * x·Wᵀ + b, as torch's nn.Linear. The gradient has the type of `x`.
 *
 * @param x - [..., I], float32 or of `precision`
 * @param weight - [O, I]
 * @param bias - [O]; undefined: none
 * @returns [..., O]
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { precision = 'float32', result = 'float32' }: LinearOptions = {},
): Tensor {
  const { tf } = currentTrace('linear()');
  const [outputs, inputs] = weight.shape as [number, number];
  const rows = x.reshape([-1, inputs]);
  const given = formatOf(rows);
  const y = differentiable(
    [rows, weight, ...(bias ? [bias] : [])],
    (save) => {
      const [a, w] = [castTo(rows, precision), castTo(weight, precision)];
      save(a, w);
      const product = bias ? biasedProduct(a, w, castTo(bias, precision)) : tf.matMul(a, w, false, true);
      return castTo(product, result);
    },
    (dy, [a, w]) => {
      const d = castTo(dy, precision);
      return [
        castTo(tf.matMul(d, w!), given),
        castTo(tf.matMul(d, a!, true), 'float32'),
        ...(bias ? [columnSums(castTo(dy, 'float32'))] : []), // not of `d`, which is rounded
      ];
    },
  );
  return y.reshape([...x.shape.slice(0, -1), outputs]);
}

/** a·wᵀ + b, of tensors of one type. */
function biasedProduct(a: Tensor, w: Tensor, b: Tensor): Tensor {
  const { graph, tensor, output } = currentTrace('biasedProduct()');
  const [x, y, bias] = [output(a), output(w), output(b)];
  // A GPU's kernel of the fused op does not take every type, and XLA, which fuses by itself, has none.
  if (/GPU/i.test(graph.device) || graph.isXlaCompiled) {
    return tensor(graph.op('BiasAdd', [graph.op('MatMul', [x, y], { transpose_b: true }), bias]));
  }
  // The kernel adds the bias while it has the product in registers.
  return tensor(graph.op('_FusedMatMul', [x, y, [bias]], { transpose_b: true, fused_ops: ['BiasAdd'] }));
}

/**
 * The rows of a table, as torch's nn.Embedding.
 *
 * @param table - [V, H]
 * @param ids - int32 [N]
 * @param o.paddingId - torch's padding_idx: a row that gets no gradient, because it stands for nothing
 * @returns [N, H]
 */
export function embedding(table: Tensor, ids: Tensor, { paddingId }: { paddingId?: number } = {}): Tensor {
  const { tf } = currentTrace('embedding()');
  return differentiable(
    [table],
    (save) => {
      save(ids);
      return tf.gather(table, ids);
    },
    (dy, [rows]) => {
      const { graph, tensor, output } = currentTrace('embedding()');
      const segments = paddingId === undefined ? output(rows!) : withoutId(output(rows!), paddingId);
      const sums = graph.op('UnsortedSegmentSum', [output(dy), segments, graph.sizeOf(table.shape[0])]);
      return [tensor(graph.assumeShape(sums, table.shape))];
    },
  );
}

/** The ids, with -1 instead of `id`: UnsortedSegmentSum leaves out negative segments. */
function withoutId(ids: Output, id: number): Output {
  const { graph } = currentTrace('withoutId()');
  const scalar = (value: number): Output => graph.constant('int32', [], [value]);
  return graph.op('SelectV2', [graph.op('Equal', [ids, scalar(id)]), scalar(-1), ids]);
}

/** int32 [size]: 0, step, 2·step, …; both may be free sizes. */
export function range(size: number, step = 1): Tensor {
  const { graph, tensor } = currentTrace('range()');
  const values = graph.op('Range', [graph.sizeOf(0), graph.sizeOf(size * step), graph.sizeOf(step)]);
  return tensor(graph.assumeShape(values, [size]));
}

/**
 * torch's nn.LayerNorm over the last axis.
 *
 * @param x - [N, H]
 * @param gain - [H]
 * @param bias - [H]; undefined: none
 */
export function layerNorm(x: Tensor, gain: Tensor, bias: Tensor | undefined, epsilon: number): Tensor {
  return differentiable(
    [x, gain, ...(bias ? [bias] : [])],
    (save) => {
      const centered = x.sub(x.mean(-1, true));
      const scale = centered.square().mean(-1, true).add(epsilon).rsqrt(); // [N, 1]
      const normalized = centered.mul(scale);
      save(normalized, scale, gain);
      const scaled = normalized.mul(gain);
      return bias ? scaled.add(bias) : scaled;
    },
    // With d = dy·gain: dx = scale·(d - mean(d) - x̂·mean(d·x̂)).
    (dy, saved) => {
      const [normalized, scale, g] = saved as [Tensor, Tensor, Tensor];
      const product = dy.mul(normalized);
      const averaging = g.div(g.size).reshape([g.size, 1]); // dy · averaging is the mean of d
      const meanOfD = dy.matMul(averaging); // [N, 1]
      const meanOfProduct = product.matMul(averaging); // [N, 1]
      const dx = dy.mul(g).sub(meanOfD).sub(normalized.mul(meanOfProduct)).mul(scale);
      return [dx, columnSums(product), ...(bias ? [columnSums(dy)] : [])];
    },
  );
}

/** x·Φ(x), computed with the error function: Hugging Face's `gelu`. */
export function gelu(x: Tensor): Tensor {
  return differentiable(
    [x],
    (save) => {
      const { tf } = currentTrace('gelu()');
      const phi = tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5);
      save(x, phi);
      return x.mul(phi);
    },
    // d/dx x·Φ(x) = Φ(x) + x·φ(x), where φ is the normal density
    (dy, saved) => {
      const [input, phi] = saved as [Tensor, Tensor];
      const density = input
        .square()
        .mul(-0.5)
        .exp()
        .mul(1 / Math.sqrt(2 * Math.PI));
      return [density.mul(input).add(phi).mul(dy)];
    },
  );
}

/**
 * The weighted sum of each row's cross entropy.
 *
 * @param logits - [N, C]
 * @param labels - int32 [N], in [0, C)
 * @param weights - [N]
 * @returns a scalar
 */
export function crossEntropy(logits: Tensor, labels: Tensor, weights: Tensor): Tensor {
  return differentiable(
    [logits],
    (save) => {
      const { losses, derivatives } = crossEntropies(logits, labels);
      save(derivatives, weights);
      return losses.mul(weights).sum();
    },
    (dy, [derivatives, w]) => [derivatives!.mul(w!.mul(dy).reshape([w!.size, 1]))],
  );
}

/** Of each row: [N], and their derivatives with respect to the logits: [N, C]. */
function crossEntropies(logits: Tensor, labels: Tensor): { losses: Tensor; derivatives: Tensor } {
  const { tf, graph, tensor, output } = currentTrace('crossEntropy()');
  if (graph.device.includes('GPU')) {
    // TensorFlow's kernel for GPUs adds in any order, and refuses to where ops must be deterministic.
    const logProbabilities = tf.logSoftmax(logits);
    const isLabel = tf.oneHot(labels, logits.shape[1]!);
    return {
      losses: logProbabilities.mul(isLabel).sum(-1).neg(),
      derivatives: logProbabilities.exp().sub(isLabel),
    };
  }
  const [losses, derivatives] = graph
    .ops('SparseSoftmaxCrossEntropyWithLogits', [output(logits), output(labels)])
    .map(tensor) as [Tensor, Tensor];
  return { losses, derivatives };
}

/** `x`, whose gradient is multiplied by `factor`, a scalar. */
export function scaleGradient(x: Tensor, factor: Tensor): Tensor {
  return differentiable(
    [x],
    (save) => {
      save(factor);
      return x.clone();
    },
    (dy, [by]) => [dy.mul(by!)],
  );
}

/** The sums over the first axis: [N, H] -> [H]. */
function columnSums(x: Tensor): Tensor {
  const { graph, tensor, output } = currentTrace('columnSums()');
  return tensor(graph.op('BiasAddGrad', [output(x)]));
}
