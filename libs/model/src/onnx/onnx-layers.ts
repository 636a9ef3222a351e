import type { AttentionNames } from '../layers/attention.js';
import { embeddingNames, withFirstRow } from '../layers/embeddings.js';
import { lowest } from '../layers/encoder-trace.js';
import type { LayerNames, TransformerConfig } from '../layers/transformer.js';
import { onnxActivationOf } from './onnx-activation.js';
import type { OnnxTrace, WeightOf } from './onnx-trace.js';

/** One layer, and whether it computes the first tokens alone, as the last one does. */
export interface OnnxTokens {
  layer: number;
  onlyFirst: boolean;
}

/** Computes the layers one after the other: [rows · length, H] -> [rows, H]. */
export function encodeOnnxLayers(
  numLayers: number,
  x: string,
  layer: (x: string, tokens: OnnxTokens) => string,
): string {
  let hidden = x;
  for (let index = 0; index < numLayers; index++) {
    hidden = layer(hidden, { layer: index, onlyFirst: index === numLayers - 1 });
  }
  return hidden;
}

/** What is added to attention scores, besides the bias of the mask. */
export interface OnnxScoreBias {
  /** [1 or rows, heads or 1, length, length] */
  all: string;

  /** Of the first query: broadcast to [rows, heads, length]. */
  first: string;
}

/** The layers of BERT in ONNX, on embeddings of [rows · length, H]: [rows, H]. */
export const onnxPostNormLayers = (
  trace: OnnxTrace,
  config: TransformerConfig,
  layerNames: (layer: number) => LayerNames,
  x: string,
  attend: OnnxAttend = bertAttention(trace, config),
): string =>
  encodeOnnxLayers(config.numLayers, x, (hidden, tokens) =>
    onnxPostNormLayer(trace, config, layerNames(tokens.layer), hidden, tokens, attend),
  );

/**
 * The sum of the embeddings of words, positions and segments, without norm: [rows · length, E].
 *
 * @param positions - indexes into the table of positions, int64 [length] or [rows, length]; default: from 0
 */
export function onnxEmbeddings(
  trace: OnnxTrace,
  { typeVocabSize }: { typeVocabSize: number },
  positions = trace.positions,
): string {
  const { graph, weightOf, ids, types } = trace;
  const words = graph.op('Gather', [trace.weight(`${embeddingNames.words}.weight`), ids]);
  // A segment that all tokens share is added to the table of positions when the graph is built.
  const shared = types === undefined ? typeVocabSize : 0;
  const table = trace.constant(`${embeddingNames.positions}.weight`, () => positionTable(shared, weightOf));
  const placed = trace.add(words, graph.op('Gather', [table, positions]));
  const sum = types === undefined ? placed : trace.add(placed, segmentVectors(trace, types));
  return trace.asTokens(sum, weightOf(`${embeddingNames.words}.weight`).shape[1]!);
}

/** The sum of the embeddings of words and segments, without norm: [rows · length, E]. */
export function onnxEmbeddingsWithoutPositions(trace: OnnxTrace, { typeVocabSize }: { typeVocabSize: number }): string {
  const { types } = trace;
  const words = trace.graph.op('Gather', [trace.weight(`${embeddingNames.words}.weight`), trace.ids]);
  const sum = types === undefined ? words : trace.add(words, segmentVectors(trace, types));
  const tokens = trace.asTokens(sum, trace.weightOf(`${embeddingNames.words}.weight`).shape[1]!);
  if (typeVocabSize === 0 || types !== undefined) return tokens;
  return trace.add(tokens, trace.slice(trace.weight(`${embeddingNames.types}.weight`), 0, 0, 1));
}

/** The vectors of the tokens' segments: [rows, length, E]. */
const segmentVectors = (trace: OnnxTrace, types: string): string =>
  trace.graph.op('Gather', [trace.weight(`${embeddingNames.types}.weight`), types]);

/** `onnxEmbeddings` with their norm: [rows · length, E]. */
export const onnxNormedEmbeddings = (trace: OnnxTrace, config: TransformerConfig, positions?: string): string =>
  trace.norm(embeddingNames.norm, onnxEmbeddings(trace, config, positions), config.layerNormEps);

/** `postNormLayer` in ONNX: [rows · length, H] -> the same, or [rows, H]. */
export function onnxPostNormLayer(
  trace: OnnxTrace,
  config: TransformerConfig,
  names: LayerNames,
  x: string,
  tokens: OnnxTokens,
  attend: OnnxAttend,
): string {
  const { layerNormEps: epsilon } = config;
  const { onlyFirst } = tokens;
  const source = trace.asRows(x, config.hiddenSize);
  const attended = trace.multiply(names.attention.output, attend(names.attention, source, tokens), { hasBias: true });
  const middle = trace.norm(names.attentionNorm, trace.add(attended, onlyFirst ? trace.firstOf(source) : x), epsilon);
  return trace.norm(names.outputNorm, trace.add(feedForward(trace, config, names, middle), middle), epsilon);
}

/** `preNormLayer` in ONNX: [rows · length, H] -> the same, or [rows, H]. */
export function onnxPreNormLayer(
  trace: OnnxTrace,
  config: TransformerConfig,
  names: LayerNames,
  x: string,
  tokens: OnnxTokens,
): string {
  const { layerNormEps: epsilon, hiddenSize } = config;
  const source = trace.asRows(trace.norm(names.attentionNorm, x, epsilon), hiddenSize);
  const residual = tokens.onlyFirst ? trace.firstOf(trace.asRows(x, hiddenSize)) : x;
  const context = bertAttention(trace, config)(names.attention, source, tokens);
  const attended = trace.add(trace.multiply(names.attention.output, context, { hasBias: true }), residual);
  const normalized = trace.norm(names.outputNorm, attended, epsilon);
  return trace.add(feedForward(trace, config, names, normalized), attended);
}

/** down(activation(up(x))): [N, H] -> [N, H]. */
function feedForward(
  trace: OnnxTrace,
  { activation }: TransformerConfig,
  { feedForward: { up, down } }: LayerNames,
  x: string,
): string {
  const inner = onnxActivationOf(activation)(
    trace.graph,
    trace.multiply(up, x, { hasBias: false }),
    trace.weight(`${up}.bias`),
  );
  return trace.multiply(down, inner, { hasBias: true });
}

/**
 * The contexts of an attention, without the projection of the output: [rows, length, H] -> [rows · length, H], or [rows, H] of the
 * first tokens.
 */
export type OnnxAttend = (names: AttentionNames, source: string, tokens: OnnxTokens) => string;

/** The attention of BERT, with a bias of the scores in addition. */
export const bertAttention =
  (trace: OnnxTrace, config: TransformerConfig, bias?: OnnxScoreBias): OnnxAttend =>
  (names, source, { onlyFirst }) => {
    if (trace.graph.isPortable) return attendInOnnx(trace, config, names, source, { onlyFirst, bias });
    return onlyFirst
      ? attendFirst(trace, config, names, source, bias?.first)
      : trace.asTokens(attendAll(trace, config, names, source, bias?.all), config.hiddenSize);
  };

/** The attention in ONNX's own operators. */
function attendInOnnx(
  trace: OnnxTrace,
  config: TransformerConfig,
  { query, key, value }: AttentionNames,
  source: string,
  { onlyFirst, bias }: { onlyFirst: boolean; bias: OnnxScoreBias | undefined },
): string {
  const { hiddenSize, numHeads } = config;
  const tokens = trace.asTokens(source, hiddenSize);
  const queries = projectHeads(trace, config, query, onlyFirst ? trace.firstOf(source) : tokens);
  const [keys, values] = [key, value].map((name) => projectHeads(trace, config, name, tokens)) as [string, string];
  const scores = trace.scaledProduct(queries, keys, { scale: 1 / Math.sqrt(hiddenSize / numHeads), transposeB: true });
  const biases = [trace.maskBias];
  if (bias) biases.push(onlyFirst ? trace.graph.op('Unsqueeze', [bias.first, trace.integers([1])]) : bias.all);
  return contextOf(trace, config, [scores, ...biases], values);
}

/** A projection of tokens, [N, H], split into heads: [rows, heads, tokens per row, D]. */
export const projectHeads = (trace: OnnxTrace, sizes: HeadSizes, name: string, tokens: string): string =>
  splitHeads(trace, sizes, trace.multiply(name, tokens, { hasBias: true }));

/** Tokens, [N, H] or [rows, length, H], split into heads: [rows, heads, tokens per row, D]. */
export function splitHeads(trace: OnnxTrace, { hiddenSize, numHeads }: HeadSizes, tokens: string): string {
  const { graph } = trace;
  const sizes = trace.integers([-1, numHeads, hiddenSize / numHeads]);
  const shape = graph.op('Concat', [trace.rowCount, sizes], { axis: { int: 0 } });
  return graph.op('Transpose', [graph.op('Reshape', [tokens, shape])], { perm: { ints: [0, 2, 1, 3] } });
}

/** The values of all heads, weighted with the softmax of the sum of the scores: [rows · length, H], or [rows, H]. */
export function contextOf(
  trace: OnnxTrace,
  { hiddenSize }: HeadSizes,
  [scores, ...biases]: readonly [string, ...string[]],
  values: string,
): string {
  const { graph } = trace;
  const sum = biases.reduce((total, bias) => trace.add(total, bias), scores);
  const context = graph.op('MatMul', [graph.op('Softmax', [sum], { axis: { int: -1 } }), values]);
  return trace.asTokens(graph.op('Transpose', [context], { perm: { ints: [0, 2, 1, 3] } }), hiddenSize);
}

type HeadSizes = Pick<TransformerConfig, 'hiddenSize' | 'numHeads'>;

/** The attention of every token to every token of its row, without the projection of the output. */
function attendAll(
  trace: OnnxTrace,
  { hiddenSize, numHeads }: TransformerConfig,
  { query, key, value }: AttentionNames,
  source: string,
  scoreBias?: string,
): string {
  const { graph, weightOf, bytes, mask } = trace;
  const names = [query, key, value];
  const bias = trace.constant(`${query}.biases`, () => ({
    shape: [3 * hiddenSize],
    data: concatenated(names.map((name) => weightOf(`${name}.bias`).data)),
  }));
  const attributes = { num_heads: { int: numHeads }, mask_filter_value: lowest };
  if (bytes) {
    const tokens = bytes.round(trace.asTokens(source, hiddenSize));
    const parts = names.map((name) => trace.asRows(bytes.multiply(name, tokens), hiddenSize));
    return graph.fused(
      'MultiHeadAttention',
      [...parts, bias, mask, ...(scoreBias === undefined ? [] : [scoreBias])],
      attributes,
    );
  }
  const matrices = trace.constant(`${query}.matrices`, () => ({
    shape: [hiddenSize, 3 * hiddenSize],
    data: joinedTransposes(
      names.map((name) => weightOf(`${name}.weight`).data),
      hiddenSize,
    ),
  }));
  // The input that is left out is the past keys and values.
  const extra = scoreBias === undefined ? [] : ['', scoreBias];
  return graph.fused('Attention', [source, matrices, bias, mask, ...extra], attributes);
}

/**
 * The attention of the first token. Keys and values of the other tokens are not computed: with the matrices K and V of a head, its
 * query q and a token x, q·Kx = Kᵀq·x, and the sum of all p·Vx is V times the sum of all p·x. The bias of the keys adds the same number
 * to every score of a row and has no effect.
 */
function attendFirst(
  trace: OnnxTrace,
  { hiddenSize, numHeads }: TransformerConfig,
  { query, key, value }: AttentionNames,
  source: string,
  scoreBias?: string,
): string {
  const { graph } = trace;
  const headSize = hiddenSize / numHeads;
  const matricesOf = (name: string) =>
    trace.constant(`${name}.heads`, () => ({
      shape: [numHeads, headSize, hiddenSize],
      data: trace.weightOf(`${name}.weight`).data,
    }));
  const queries = graph.op('Reshape', [
    trace.linear(query, trace.firstOf(source)),
    trace.integers([0, numHeads, headSize]),
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
    graph.op('Sub', [graph.cast(trace.mask, 'float32'), trace.scalar(1)]),
    trace.scalar(-lowest),
  ]);
  const biased = scoreBias === undefined ? scores : trace.add(scores, scoreBias);
  const masked = trace.add(biased, graph.op('Unsqueeze', [penalty, trace.integers([1])]));
  const means = graph.op('MatMul', [graph.op('Softmax', [masked], { axis: { int: -1 } }), source]); // [rows, heads, H]
  const values = graph.fused('FusedMatMul', [means, matricesOf(value)], { ...exchanged, transB: { int: 1 } });
  const context = graph.op('Transpose', [values], { perm: { ints: [1, 0, 2] } }); // [rows, heads, H / heads]
  return trace.add(trace.asTokens(context, hiddenSize), trace.weight(`${value}.bias`));
}

/** The table of positions, with the vector of the only segment added to each. */
function positionTable(typeVocabSize: number, weightOf: WeightOf) {
  const positions = weightOf(`${embeddingNames.positions}.weight`);
  if (typeVocabSize === 0) return positions;
  const types = weightOf(`${embeddingNames.types}.weight`).data;
  return { ...positions, data: withFirstRow(positions.data, types, positions.shape[1]!) };
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
