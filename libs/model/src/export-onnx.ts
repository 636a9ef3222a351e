import { hasByteProducts, OnnxGraph, type OnnxModel } from '@nautil/onnx';
import { ByteProducts } from './byte-products.js';
import type { EncoderConfig } from './encoder-config.js';
import { onnxActivationOf } from './onnx-activation.js';
import { embeddingNames, finalNorm, headLayerName, type LayerNames, layerNames } from './weights.js';

/** float32's lowest value, as in `encode`: a row that is all padding gets uniform probabilities. */
const lowest = -3.4028234663852886e38;

interface OnnxSource {
  encoder: EncoderConfig;
  head?: { numOutputLayers: number } | undefined;

  /** The value of a weight, by its name without NeMo's prefix. */
  weightOf: (name: string) => { shape: readonly number[]; data: Float32Array };

  /**
   * How the layers multiply. int8: weights are rounded to bytes with a scale for each output, and the numbers that they multiply with a
   * scale for each token, so that a row's result does not depend on its batch. Embeddings, norms, attention scores, the attention of the
   * last layer and the head stay in float32.
   */
  precision?: InferencePrecision | undefined;

  /** The bytes of int8 are signed, which is faster with the processor's instructions for it and inexact without them. Default: by the processor. */
  signedBytes?: boolean;
}

export type InferencePrecision = 'float32' | 'int8';

/**
 * The forward pass that `Forward` computes, in ONNX. Rows and length are free in each run.
 *
 * Inputs: `ids`, `positions` (indexes into the table of positions) and `mask` (0 or 1), all int32 [rows, length].
 * Output: logits, or without a head the first token's hidden state.
 */
export function exportOnnx({
  encoder,
  head,
  weightOf,
  precision = 'float32',
  signedBytes = hasByteProducts(),
}: OnnxSource): OnnxModel {
  const { family, hiddenSize, numHeads, numLayers, layerNormEps: epsilon } = encoder;
  const headSize = hiddenSize / numHeads;
  const preNorm = family === 'megatron-bert';
  const activation = onnxActivationOf(encoder.activation);
  const graph = new OnnxGraph();
  const ids = graph.input('ids', 'int32', ['rows', 'length']);
  const positions = graph.input('positions', 'int32', ['rows', 'length']);
  const mask = graph.input('mask', 'int32', ['rows', 'length']);

  const weight = (name: string): string => {
    const { shape, data } = weightOf(name);
    return graph.weight(name, shape, data);
  };
  const add = (a: string, b: string) => graph.op('Add', [a, b]);
  const linear = (name: string, x: string) =>
    graph.op('Gemm', [x, weight(`${name}.weight`), weight(`${name}.bias`)], { transB: { int: 1 } });
  const bytes = precision === 'int8' ? new ByteProducts(graph, weightOf, signedBytes) : undefined;
  /** x·Wᵀ, with a bias unless the node that reads the product adds it. */
  const multiply = (name: string, x: string, { hasBias }: { hasBias: boolean }): string => {
    if (bytes) {
      const product = bytes.multiply(name, bytes.round(x));
      return hasBias ? add(product, weight(`${name}.bias`)) : product;
    }
    const bias = hasBias ? [weight(`${name}.bias`)] : [];
    return graph.op('Gemm', [x, weight(`${name}.weight`), ...bias], { transB: { int: 1 } });
  };
  const norm = (name: string, x: string) =>
    graph.op('LayerNormalization', [x, weight(`${name}.weight`), weight(`${name}.bias`)], {
      axis: { int: -1 },
      epsilon,
    });

  // Between the attentions, the tokens of all rows form one matrix.
  const tokenShape = graph.integers('tokenShape', [-1, hiddenSize]);
  const rowShape = graph.op('Concat', [graph.op('Shape', [ids]), graph.integers('hiddenSize', [hiddenSize])], {
    axis: { int: 0 },
  });
  const asTokens = (x: string) => graph.op('Reshape', [x, tokenShape]); // [rows · length, H]
  const asRows = (x: string) => graph.op('Reshape', [x, rowShape]); // [rows, length, H]
  const firstIndex = graph.weight('first', [], Int32Array.of(0));
  const firstOf = (x: string) => graph.op('Gather', [x, firstIndex], { axis: { int: 1 } }); // [rows, H]

  /** The attention of every token to every token of its row, without the projection of the output. */
  const attend = ({ query, key, value }: LayerNames, source: string): string => {
    const names = [query, key, value];
    const bias = graph.weight(
      `${query}.biases`,
      [3 * hiddenSize],
      concatenated(names.map((name) => weightOf(`${name}.bias`).data)),
    );
    const attributes = { num_heads: { int: numHeads }, mask_filter_value: lowest };
    if (bytes) {
      const tokens = bytes.round(asTokens(source));
      const parts = names.map((name) => asRows(bytes.multiply(name, tokens)));
      return graph.fused('MultiHeadAttention', [...parts, bias, mask], attributes);
    }
    const matrix = joinedTransposes(
      names.map((name) => weightOf(`${name}.weight`).data),
      hiddenSize,
    );
    const matrices = graph.weight(`${query}.matrices`, [hiddenSize, 3 * hiddenSize], matrix);
    return graph.fused('Attention', [source, matrices, bias, mask], attributes);
  };

  /**
   * The attention of the first token. Keys and values of the other tokens are not computed: with the matrices K and V of a head, its
   * query q and a token x, q·Kx = Kᵀq·x, and the sum of all p·Vx is V times the sum of all p·x. The bias of the keys adds the same number
   * to every score of a row and has no effect.
   */
  const attendFirst = ({ query, key, value }: LayerNames, source: string): string => {
    const matricesOf = (name: string) =>
      graph.weight(`${name}.heads`, [numHeads, headSize, hiddenSize], weightOf(`${name}.weight`).data);
    const queries = graph.op('Reshape', [
      linear(query, firstOf(source)),
      graph.integers('headShape', [0, numHeads, headSize]),
    ]);
    // `transBatchA` exchanges the axes of rows and heads.
    const exchanged = { transBatchA: { int: 1 } };
    const directions = graph.fused('FusedMatMul', [queries, matricesOf(key)], exchanged); // [heads, rows, H]
    const scores = graph.fused('FusedMatMul', [directions, source], {
      ...exchanged,
      transB: { int: 1 },
      alpha: 1 / Math.sqrt(headSize),
    }); // [rows, heads, length]
    const penalty = graph.op('Mul', [
      graph.op('Sub', [graph.cast(mask, 'float32'), graph.weight('one', [], Float32Array.of(1))]),
      graph.weight('highest', [], Float32Array.of(-lowest)),
    ]);
    const masked = add(scores, graph.op('Unsqueeze', [penalty, graph.integers('axis', [1])]));
    const means = graph.op('MatMul', [graph.op('Softmax', [masked], { axis: { int: -1 } }), source]); // [rows, heads, H]
    const values = graph.fused('FusedMatMul', [means, matricesOf(value)], { ...exchanged, transB: { int: 1 } });
    const context = graph.op('Transpose', [values], { perm: { ints: [1, 0, 2] } }); // [rows, heads, H / heads]
    return add(asTokens(context), weight(`${value}.bias`));
  };

  const words = graph.op('Gather', [weight(embeddingNames.words), ids]);
  const { shape, data } = positionTable(encoder, weightOf);
  const embedded = add(words, graph.op('Gather', [graph.weight(embeddingNames.positions, shape, data), positions]));
  // `x` is added to the results of a layer's halves, and `source` is what they read: the same, unless the norm comes first.
  let x = asTokens(preNorm ? embedded : norm(embeddingNames.norm, embedded));
  for (let layer = 0; layer < numLayers; layer++) {
    const names = layerNames(family, layer);
    const isLast = layer === numLayers - 1;
    const source = asRows(preNorm ? norm(names.attentionNorm, x) : x);
    const context = isLast ? attendFirst(names, source) : asTokens(attend(names, source));
    const attended = add(multiply(names.attentionOutput, context, { hasBias: true }), isLast ? firstOf(asRows(x)) : x);
    const middle = norm(preNorm ? names.outputNorm : names.attentionNorm, attended);
    const up = multiply(names.up, middle, { hasBias: false });
    const inner = activation(graph, up, weight(`${names.up}.bias`));
    const output = add(multiply(names.down, inner, { hasBias: true }), preNorm ? attended : middle);
    x = preNorm ? output : norm(names.outputNorm, output);
  }

  let result = preNorm ? norm(finalNorm, x) : x; // [rows, H]
  for (let index = 0; head !== undefined && index < head.numOutputLayers; index++) {
    if (index > 0) result = graph.op('Relu', [result]);
    result = linear(headLayerName(index), result);
  }
  graph.output(result, 'float32', ['rows', 'outputs']);
  return graph.encode();
}

/** The table of positions, with the vector of the only segment added to each. */
function positionTable({ typeVocabSize }: EncoderConfig, weightOf: OnnxSource['weightOf']) {
  const positions = weightOf(embeddingNames.positions);
  if (typeVocabSize === 0) return positions;
  const segment = weightOf(embeddingNames.types).data;
  const width = positions.shape[1]!;
  return { ...positions, data: positions.data.map((value, index) => value + segment[index % width]!) };
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The transposes of square matrices, side by side: [size, size · matrices]. */
function joinedTransposes(matrices: readonly Float32Array[], size: number): Float32Array {
  const width = size * matrices.length;
  const joined = new Float32Array(size * width);
  for (const [index, matrix] of matrices.entries()) {
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        joined[column * width + index * size + row] = matrix[row * size + column]!;
      }
    }
  }
  return joined;
}
