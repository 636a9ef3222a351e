import {
  castTo,
  embedding,
  linear,
  range,
  relativeDistances,
  relativeShift,
  sharedProduct,
  type Tensor,
  tfjs,
  windows,
} from '@nautil/tensorflow';
import { type ConfigKeys, largestSizes } from '../config-keys.js';
import { prefixed } from '../hugging-face/classifier-class.js';
import { activationOf } from '../layers/activation.js';
import { type AttentionNames, contextOf, queryKeyValue } from '../layers/attention.js';
import { embeddingNames, embedFromZero, embedWithoutPositions } from '../layers/embeddings.js';
import type { EncoderTrace, LayerTokens } from '../layers/encoder-trace.js';
import { debertaBucket } from '../layers/relative-buckets.js';
import {
  type Attend,
  bertDefaults,
  bertLayerNames,
  encodeLayers,
  finishEmbeddings,
  type LayerNames,
  parseTransformer,
  postNormLayer,
  type TransformerConfig,
  weightsOfLayers,
} from '../layers/transformer.js';
import { onnxActivationOf } from '../onnx/onnx-activation.js';
import {
  contextOf as onnxContextOf,
  encodeOnnxLayers,
  type OnnxAttend,
  onnxEmbeddings,
  onnxEmbeddingsWithoutPositions,
  onnxPostNormLayer,
  projectHeads,
} from '../onnx/onnx-layers.js';
import type { OnnxTrace } from '../onnx/onnx-trace.js';
import { embeddingWeight, linearWeights, normWeights, unused, type WeightSpec } from '../weight-spec.js';
import type { Family } from './family.js';

interface DebertaConfig extends TransformerConfig {
  /** Size of the embeddings, which are projected to the hidden size if it is another. */
  readonly embeddingSize: number;
  /** Whether positions are added to the embeddings, too. */
  readonly hasPositions: boolean;
  readonly relative: RelativeConfig | undefined;
  /** Whether the table of relative positions has a norm. */
  readonly normsRelative: boolean;
  /** The terms of `pos_att_type`: scores are divided by √(D·(1 + terms)), even without relative positions. */
  readonly terms: readonly PositionTerm[];
  readonly convolution: ConvolutionConfig | undefined;
}

/** c2p: a query's content scores the key's position; p2c: a key's content scores the query's. */
type PositionTerm = 'c2p' | 'p2c';
const positionTerms: readonly PositionTerm[] = ['c2p', 'p2c'];

interface RelativeConfig {
  /** Half the rows of the table of relative positions. */
  readonly span: number;
  /** max_relative_positions, where the logarithmic buckets end. */
  readonly farthest: number;
  /** Whether distances beyond half the span are in logarithmic buckets. */
  readonly isLogarithmic: boolean;
  /** Whether the content's projections also project the relative positions. */
  readonly sharesProjections: boolean;
}

interface ConvolutionConfig {
  /** Positions, an odd number. */
  readonly width: number;
  readonly groups: number;
  readonly activation: string;
}

const names = {
  embeddingProjection: 'embeddings.embed_proj',
  relativePositions: 'encoder.rel_embeddings',
  relativeNorm: 'encoder.LayerNorm',
  convolution: 'encoder.conv.conv',
  convolutionNorm: 'encoder.conv.LayerNorm',
};

function layerNames(layer: number): LayerNames {
  const prefix = `encoder.layer.${layer}`;
  const bert = bertLayerNames(prefix);
  return {
    ...bert,
    attention: {
      query: `${prefix}.attention.self.query_proj`,
      key: `${prefix}.attention.self.key_proj`,
      value: `${prefix}.attention.self.value_proj`,
      output: bert.attention.output,
    },
  };
}

/** The projections of the relative positions where they have their own: of keys for c2p, of queries for p2c. */
const positionProjections = (layer: number): Record<PositionTerm, string> => ({
  c2p: `encoder.layer.${layer}.attention.self.pos_key_proj`,
  p2c: `encoder.layer.${layer}.attention.self.pos_query_proj`,
});

/** BERT with disentangled attention; version 3 differs in its settings: transformers/models/deberta_v2/modeling_deberta_v2.py */
export const debertaV2: Family<DebertaConfig> = {
  modelTypes: {
    'deberta-v2': {
      ...bertDefaults,
      vocab_size: 128100,
      hidden_size: 1536,
      num_hidden_layers: 24,
      num_attention_heads: 24,
      intermediate_size: 6144,
      type_vocab_size: 0,
      layer_norm_eps: 1e-7,
      relative_attention: false,
      max_relative_positions: -1,
      position_buckets: -1,
      position_biased_input: true,
      pos_att_type: [],
      share_att_key: false,
      norm_rel_ebd: 'none',
      conv_kernel_size: 0,
      conv_groups: 1,
      conv_act: 'tanh',
    },
  },

  parse(keys) {
    const config = parseTransformer(keys, { leastTypes: 0 });
    const { hiddenSize, numHeads, maxPositions } = config;
    keys.requireOnly('attention_head_size', hiddenSize / numHeads);
    return {
      ...config,
      embeddingSize:
        keys.valueOf('embedding_size') === undefined
          ? hiddenSize
          : keys.count('embedding_size', { most: largestSizes.hidden }),
      hasPositions: keys.boolean('position_biased_input'),
      terms: termsOf(keys),
      relative: keys.boolean('relative_attention') ? relativeOf(keys, maxPositions) : undefined,
      normsRelative: normsRelativeOf(keys),
      convolution: convolutionOf(keys, hiddenSize),
    };
  },

  weights: (config) => [
    ...embeddingSpecs(config),
    ...relativeSpecs(config),
    ...weightsOfLayers(config, layerNames),
    ...convolutionSpecs(config),
  ],

  encode(config, trace) {
    const embedded = embed(trace, config);
    const attend = disentangled(trace, config);
    return encodeLayers(trace, config.numLayers, embedded, (x, tokens) => {
      const output = postNormLayer(trace, config, layerNames(tokens.layer), x, tokens, attend);
      if (tokens.layer > 0 || config.convolution === undefined) return output;
      const neighbours = tokens.select(convolve(trace, config, config.convolution, embedded));
      return trace.norm(names.convolutionNorm, output.add(neighbours), config.layerNormEps);
    });
  },

  classifierClasses: (config) => [
    {
      name: 'DebertaV2ForSequenceClassification',
      activation: 'relu',
      layers: ['pooler.dense', 'classifier'],
      readsPairs: true,
      config: (given) => ({ ...given, pooler_hidden_act: 'relu', pooler_hidden_size: config.hiddenSize }),
      weights: prefixed('deberta', debertaV2.weights(config)),
    },
  ],

  onnx: {
    encode(config, trace) {
      const embedded = onnxEmbed(trace, config);
      const attend = onnxDisentangled(trace, config);
      return encodeOnnxLayers(config.numLayers, embedded, (x, tokens) => {
        const output = onnxPostNormLayer(trace, config, layerNames(tokens.layer), x, tokens, attend);
        if (tokens.layer > 0 || config.convolution === undefined) return output;
        const neighbours = onnxConvolve(trace, config, config.convolution, embedded);
        const rows = trace.asRows(neighbours, config.hiddenSize);
        const added = trace.add(output, tokens.onlyFirst ? trace.firstOf(rows) : neighbours);
        return trace.norm(names.convolutionNorm, added, config.layerNormEps);
      });
    },
  },
};

/**
 * Some of `positionTerms`, as a list or as Microsoft's files have it: "p2c|c2p". transformers ignores blanks and case in the text alone:
 * an item of a list such as " p2c" would be no term at all, and is rejected.
 */
function termsOf(keys: ConfigKeys): PositionTerm[] {
  const value = keys.valueOf('pos_att_type');
  const given: unknown =
    typeof value === 'string'
      ? value
          .toLowerCase()
          .split('|')
          .map((term) => term.trim())
      : value;
  const wanted = `a list of ${positionTerms.join(' and ')}`;
  const terms: unknown[] = Array.isArray(given)
    ? given.filter((term) => term !== '')
    : keys.refuse('pos_att_type', wanted);
  if (terms.some((term) => !positionTerms.includes(term as PositionTerm))) keys.refuse('pos_att_type', wanted);
  return positionTerms.filter((term) => terms.includes(term));
}

function relativeOf(keys: ConfigKeys, maxPositions: number): RelativeConfig {
  const most = largestSizes.positions;
  const limit = keys.count('max_relative_positions', { least: -1, most });
  const buckets = keys.count('position_buckets', { least: -1, most });
  const farthest = limit < 1 ? maxPositions : limit;
  if (buckets === 1) keys.refuse('position_buckets', '-1 or at least 2');
  const middle = Math.floor(buckets / 2);
  // The logarithm of this ratio is divided by.
  if (buckets > 0 && maxPositions - 1 > middle && farthest - 1 <= middle) {
    keys.refuse('max_relative_positions', `-1 or above position_buckets / 2 + 1 (${middle + 1})`);
  }
  return {
    span: buckets > 0 ? buckets : farthest,
    farthest,
    isLogarithmic: buckets > 0,
    sharesProjections: keys.boolean('share_att_key'),
  };
}

function normsRelativeOf(keys: ConfigKeys): boolean {
  const value = keys.valueOf('norm_rel_ebd');
  const wanted = 'none or layer_norm';
  const norms = typeof value === 'string' ? value.toLowerCase().split('|') : keys.refuse('norm_rel_ebd', wanted);
  const trimmed = norms.map((norm) => norm.trim());
  if (trimmed.some((norm) => norm !== 'none' && norm !== 'layer_norm')) keys.refuse('norm_rel_ebd', wanted);
  return trimmed.includes('layer_norm');
}

function convolutionOf(keys: ConfigKeys, hiddenSize: number): ConvolutionConfig | undefined {
  const width = keys.count('conv_kernel_size', { least: 0, most: 1 << 10 });
  if (width === 0) return undefined;
  if (width % 2 === 0) keys.refuse('conv_kernel_size', 'an odd number, so that as many positions come out as go in');
  const groups = keys.count('conv_groups', { most: hiddenSize });
  if (hiddenSize % groups !== 0) keys.refuse('conv_groups', `a divisor of hidden_size (${hiddenSize})`);
  return { width, groups, activation: keys.activation('conv_act') };
}

/** Whether anything reads the relative positions. */
const usesRelative = ({ relative, terms }: DebertaConfig): boolean => relative !== undefined && terms.length > 0;

function embeddingSpecs(config: DebertaConfig): WeightSpec[] {
  const { embeddingSize: width, hiddenSize, initializerRange: std, padTokenId: zeroRow } = config;
  const table = (name: string, rows: number) => embeddingWeight(name, { rows, width, std });
  return [
    embeddingWeight(embeddingNames.words, { rows: config.vocabSize, width, std, zeroRow }),
    ...(config.hasPositions ? [table(embeddingNames.positions, config.maxPositions)] : []),
    ...(config.typeVocabSize > 0 ? [table(embeddingNames.types, config.typeVocabSize)] : []),
    ...(width === hiddenSize
      ? []
      : linearWeights(names.embeddingProjection, { outputs: hiddenSize, inputs: width, std, hasBias: false })),
    ...normWeights(embeddingNames.norm, hiddenSize),
  ];
}

function relativeSpecs(config: DebertaConfig): WeightSpec[] {
  const { relative, terms, normsRelative, hiddenSize: size, initializerRange: std } = config;
  const shared = [
    ...(relative ? [embeddingWeight(names.relativePositions, { rows: 2 * relative.span, width: size, std })] : []),
    ...(normsRelative ? normWeights(names.relativeNorm, size) : []),
  ];
  if (!usesRelative(config)) return unused(shared);
  if (relative?.sharesProjections === true) return shared;
  const ofLayer = (layer: number) =>
    terms.flatMap((term) => linearWeights(positionProjections(layer)[term], { outputs: size, inputs: size, std }));
  return [...shared, ...Array.from({ length: config.numLayers }, (_, layer) => ofLayer(layer)).flat()];
}

function convolutionSpecs({ convolution, hiddenSize: size, initializerRange: std }: DebertaConfig): WeightSpec[] {
  if (convolution === undefined) return [];
  const { width, groups } = convolution;
  const [weight, bias] = linearWeights(names.convolution, { outputs: size, inputs: size / groups, std });
  return [{ ...weight!, shape: [size, size / groups, width] }, bias!, ...normWeights(names.convolutionNorm, size)];
}

/** Sites of the dropouts that BERT does not have, after those of the layers. */
const extraSites = ({ numLayers }: DebertaConfig) => ({
  convolution: 3 * numLayers + 1,
  relative: (layer: number) => 3 * numLayers + 2 + layer,
});

/** The embeddings with their norm and dropout: [B·T, H]. */
function embed(trace: EncoderTrace, config: DebertaConfig): Tensor {
  const sum = config.hasPositions ? embedFromZero(trace, config) : embedWithoutPositions(trace, config);
  const projected = config.embeddingSize === config.hiddenSize ? sum : trace.linear(names.embeddingProjection, sum);
  const embedded = finishEmbeddings(trace, config, projected);
  // transformers always sets the vectors of padding to 0. Only a convolution reads them from other positions.
  if (config.convolution === undefined) return embedded;
  return embedded.mul(trace.input.mask.toFloat().reshape([trace.batchSize * trace.length, 1]));
}

/** The attention of every layer: scores of contents, of contents with positions, and of positions with contents. */
function disentangled(trace: EncoderTrace, config: DebertaConfig): Attend {
  const { numHeads, hiddenSize, terms, relative } = config;
  const queryScale = 1 / Math.sqrt((hiddenSize / numHeads) * (1 + terms.length));
  const positions = relative && usesRelative(config) ? new RelativePositions(trace, config, relative) : undefined;
  return (attention, x, tokens, dropout) => {
    const heads = queryKeyValue(trace, attention, x, tokens, { numHeads, queryScale });
    const [query, key, value] = heads as [Tensor, Tensor, Tensor];
    const contents = trace.matMul(query, key, { transposeB: true }); // [B, A, length, T]
    const scores = positions?.scores(attention, { query, key, queryScale }, tokens) ?? [];
    const sum = scores.reduce((total, term) => total.add(term), contents);
    return contextOf(trace, sum.add(trace.maskBias), value, tokens, dropout);
  };
}

/** The table of relative positions, and the scores that layers compute with it. */
class RelativePositions {
  readonly #trace: EncoderTrace;
  readonly #config: DebertaConfig;
  readonly #relative: RelativeConfig;

  /** [2·span, H] */
  readonly #table: Tensor;

  /** int32 [2P + 1]: the row of the table for each distance i - j from -P to P. */
  readonly #rows: Tensor;

  constructor(trace: EncoderTrace, config: DebertaConfig, relative: RelativeConfig) {
    this.#trace = trace;
    this.#config = config;
    this.#relative = relative;
    const table = trace.weight(`${names.relativePositions}.weight`);
    this.#table = config.normsRelative ? trace.norm(names.relativeNorm, table, config.layerNormEps) : table;
    const { maxLength } = config;
    this.#rows = tfjs().tensor1d(rowsOf(relative, maxLength), 'int32');
  }

  /** The scores of each term of the configuration: [B, A, length, T]. */
  scores(
    attention: AttentionNames,
    { query, key, queryScale }: { query: Tensor; key: Tensor; queryScale: number },
    tokens: LayerTokens,
  ): Tensor[] {
    const { layer, length } = tokens;
    const { terms, embeddingDropout } = this.#config;
    const { length: T, precision } = this.#trace;
    const table = this.#trace.sharedDropout(extraSites(this.#config).relative(layer), embeddingDropout, this.#table);
    const projections = this.#relative.sharesProjections
      ? { c2p: attention.key, p2c: attention.query }
      : positionProjections(layer);
    const isFirstOnly = length !== T;
    return terms.map((term) => {
      const scale = term === 'p2c' ? queryScale : 1;
      const project = (distances: Tensor) => this.#project(projections[term], scale, table, distances);
      if (isFirstOnly) {
        const positions = project(range(T).neg()); // [A, T, D]: of the distances 0 - j
        return term === 'c2p'
          ? castTo(sharedProduct(query, positions, precision), 'float32')
          : dotProducts(key, positions);
      }
      const distances = relativeDistances(T);
      if (term === 'c2p')
        return castTo(relativeShift(sharedProduct(query, project(distances.neg()), precision)), 'float32');
      const ofKeys = relativeShift(sharedProduct(key, project(distances), precision)); // [B, A, keys, queries]
      return castTo(ofKeys, 'float32').transpose([0, 1, 3, 2]);
    });
  }

  /** The projections of the rows for `distances`, split into heads: [A, N, D], of the trace's precision. */
  #project(name: string, scale: number, table: Tensor, distances: Tensor): Tensor {
    const { numHeads, hiddenSize, maxLength } = this.#config;
    const indexes = tfjs().gather(this.#rows, distances.add(tfjs().scalar(maxLength, 'int32')));
    const rows = embedding(table, indexes); // [N, H]
    const { precision } = this.#trace;
    const scaled = (x: Tensor) => (scale === 1 ? x : x.mul(scale));
    const weight = scaled(this.#trace.weight(`${name}.weight`));
    const bias = scaled(this.#trace.weight(`${name}.bias`));
    return linear(rows, weight, bias, { precision, result: precision })
      .reshape([rows.shape[0], numHeads, hiddenSize / numHeads])
      .transpose([1, 0, 2]);
  }
}

/** The row of the table of relative positions for each distance i - j from -maxLength to maxLength. */
const rowsOf = (relative: RelativeConfig, maxLength: number): number[] =>
  Array.from({ length: 2 * maxLength + 1 }, (_, index) => rowOf(relative, index - maxLength));

/** The row of the table of relative positions for the distance i - j. */
function rowOf({ span, farthest, isLogarithmic }: RelativeConfig, distance: number): number {
  const bucket = isLogarithmic ? debertaBucket(distance, { buckets: span, farthest }) : distance;
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

/** The product of each key with the vector of its position: [B, A, T, D] and [A, T, D] -> [B, A, 1, T]. */
function dotProducts(keys: Tensor, positions: Tensor): Tensor {
  const [B, A, T, D] = keys.shape as [number, number, number, number];
  const products = castTo(keys, 'float32').mul(castTo(positions, 'float32'));
  // tfjs's gradient of a sum has a constant of the sum's size, which is free.
  return products
    .reshape([B * A * T, D])
    .matMul(tfjs().ones([D, 1]))
    .reshape([B, A, 1, T]);
}

/** The convolution over each position's window of embeddings, which is added to the first layer's output: [B·T, H]. */
function convolve(
  trace: EncoderTrace,
  config: DebertaConfig,
  { width, groups, activation }: ConvolutionConfig,
  embedded: Tensor,
): Tensor {
  const tf = tfjs();
  const { batchSize: B, length: T, precision } = trace;
  const size = config.hiddenSize / groups;
  const weight = trace.weight(`${names.convolution}.weight`); // [H, size, width]
  const bias = trace.weight(`${names.convolution}.bias`);
  const rows = embedded.reshape([B, T, config.hiddenSize]);
  // tfjs's gradient of split fails for one part.
  const inputs = groups === 1 ? [rows] : tf.split(rows, groups, -1);
  const outputs = inputs.map((input, group) => {
    const matrix = weight.slice([group * size, 0, 0], [size, size, width]).transpose([0, 2, 1]);
    return linear(
      windows(input, width).reshape([B * T, width * size]),
      matrix.reshape([size, width * size]),
      bias.slice([group * size], [size]),
      { precision },
    );
  });
  const sum = trace.dropout(extraSites(config).convolution, config.feedForwardDropout, tf.concat(outputs, -1));
  // transformers sets the results for padding to 0, too. No token reads them.
  return activationOf(activation)(sum);
}

/** `embed` in ONNX: [rows · length, H]. */
function onnxEmbed(trace: OnnxTrace, config: DebertaConfig): string {
  const { graph } = trace;
  const sum = config.hasPositions ? onnxEmbeddings(trace, config) : onnxEmbeddingsWithoutPositions(trace, config);
  const projection = `${names.embeddingProjection}.weight`;
  const projected =
    config.embeddingSize === config.hiddenSize
      ? sum
      : graph.op('Gemm', [sum, trace.weight(projection)], { transB: { int: 1 } });
  const embedded = trace.norm(embeddingNames.norm, projected, config.layerNormEps);
  if (config.convolution === undefined) return embedded;
  return graph.op('Mul', [embedded, graph.op('Reshape', [graph.cast(trace.mask, 'float32'), trace.integers([-1, 1])])]);
}

/** `disentangled` in ONNX. */
function onnxDisentangled(trace: OnnxTrace, config: DebertaConfig): OnnxAttend {
  const { hiddenSize: H, numHeads, terms } = config;
  const scale = 1 / Math.sqrt((H / numHeads) * (1 + terms.length));
  const positions = onnxRelativePositions(trace, config);
  return (attention, source, { layer, onlyFirst }) => {
    const tokens = trace.asTokens(source, H);
    const query = projectHeads(trace, config, attention.query, onlyFirst ? trace.firstOf(source) : tokens);
    const [key, value] = [attention.key, attention.value].map((name) => projectHeads(trace, config, name, tokens)) as [
      string,
      string,
    ];
    const contents = trace.scaledProduct(query, key, { scale, transposeB: true }); // [rows, heads, length or 1, length]
    const projections = config.relative?.sharesProjections
      ? { c2p: attention.key, p2c: attention.query }
      : positionProjections(layer);
    const scores = positions
      ? terms.map((term) => {
          const vectors = positions.vectorsOf(projections[term]);
          const products = trace.scaledProduct(term === 'c2p' ? query : key, vectors, { scale });
          return positions.place(products, { term, onlyFirst });
        })
      : [];
    return onnxContextOf(trace, config, [contents, ...scores, trace.maskBias], value);
  };
}

/** `RelativePositions` in ONNX: every token is multiplied with the whole table, and the products of the pairs are gathered. */
function onnxRelativePositions(trace: OnnxTrace, config: DebertaConfig) {
  const { relative } = config;
  if (relative === undefined || !usesRelative(config)) return undefined;
  const { graph } = trace;
  const { maxLength, numHeads, hiddenSize: H } = config;
  const weight = trace.weight(`${names.relativePositions}.weight`);
  const table = config.normsRelative ? trace.norm(names.relativeNorm, weight, config.layerNormEps) : weight;
  const rows = trace.constant('relative rows', () => ({
    shape: [2 * maxLength + 1],
    data: BigInt64Array.from(rowsOf(relative, maxLength), BigInt),
  }));
  /** The row of the table for each pair: int64 [length, length], of query i and key j. */
  const pairs = graph.op('Gather', [rows, graph.op('Sub', [trace.integer(maxLength), trace.distances])]);
  const swapped = graph.op('Transpose', [pairs], { perm: { ints: [1, 0] } });
  return {
    /** The projections of the table: [heads, D, 2·span]. */
    vectorsOf(name: string): string {
      const heads = graph.op('Reshape', [trace.linear(name, table), trace.integers([-1, numHeads, H / numHeads])]);
      return graph.op('Transpose', [heads], { perm: { ints: [1, 2, 0] } });
    },

    /** The products of each pair, from those with the whole table: [rows, heads, tokens, 2·span] -> [rows, heads, length or 1, length]. */
    place(products: string, { term, onlyFirst }: { term: PositionTerm; onlyFirst: boolean }): string {
      const all = term === 'c2p' ? pairs : swapped;
      const indexes = onlyFirst ? trace.slice(all, term === 'c2p' ? 0 : 1, 0, 1) : all;
      const leading = trace.slice(graph.op('Shape', [products]), 0, 0, 3);
      const last = trace.slice(graph.op('Shape', [indexes]), 0, 1, 2);
      const expanded = graph.op('Expand', [indexes, graph.op('Concat', [leading, last], { axis: { int: 0 } })]);
      const placed = graph.op('GatherElements', [products, expanded], { axis: { int: -1 } });
      return term === 'c2p' ? placed : graph.op('Transpose', [placed], { perm: { ints: [0, 1, 3, 2] } });
    },
  };
}

/** `convolve` in ONNX: [rows · length, H]. */
function onnxConvolve(
  trace: OnnxTrace,
  { hiddenSize: H }: DebertaConfig,
  { width, groups, activation }: ConvolutionConfig,
  embedded: string,
): string {
  const { graph } = trace;
  const swap = { perm: { ints: [0, 2, 1] } };
  const reach = (width - 1) / 2;
  const inputs = [
    graph.op('Transpose', [trace.asRows(embedded, H)], swap),
    trace.weight(`${names.convolution}.weight`),
  ];
  const sums = graph.op('Conv', inputs, { group: { int: groups }, pads: { ints: [reach, reach] } }); // [rows, H, length]
  const tokens = trace.asTokens(graph.op('Transpose', [sums], swap), H);
  return onnxActivationOf(activation)(graph, tokens, trace.weight(`${names.convolution}.bias`));
}
