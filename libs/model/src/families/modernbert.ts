import {
  castTo,
  range,
  rotaryFrequencies,
  rotate,
  type Rotations,
  rotations,
  type Tensor,
  tfjs,
} from '@nautil/tensorflow';
import { type ConfigKeys, largestSizes } from '../config-keys.js';
import type { EncoderConfig } from '../encoder-config.js';
import { activationOf } from '../layers/activation.js';
import { contextOf, splitHeads } from '../layers/attention.js';
import { lookUp } from '../layers/embeddings.js';
import { type EncoderTrace, type LayerTokens, lowest } from '../layers/encoder-trace.js';
import { dropoutSites, embeddingSite, encodeLayers } from '../layers/transformer.js';
import { onnxActivationOf } from '../onnx/onnx-activation.js';
import {
  contextOf as onnxContextOf,
  encodeOnnxLayers,
  type OnnxTokens,
  splitHeads as splitOnnxHeads,
} from '../onnx/onnx-layers.js';
import type { OnnxTrace } from '../onnx/onnx-trace.js';
import { embeddingWeight, linearWeights, normWeights, type WeightSpec } from '../weight-spec.js';
import type { Family } from './family.js';

interface ModernBertConfig extends EncoderConfig {
  readonly intermediateSize: number;
  readonly activation: string;
  readonly normEps: number;
  readonly embeddingDropout: number;
  /** Of the attention probabilities and of the attention's output. */
  readonly attentionDropout: number;
  readonly mlpDropout: number;
  readonly hasAttentionBias: boolean;
  readonly hasMlpBias: boolean;
  readonly hasNormBias: boolean;
  /** Of each layer. */
  readonly attentions: readonly AttentionKind[];
}

interface AttentionKind {
  /** Base of the rotary frequencies. */
  readonly theta: number;
  /** The largest distance that is attended to; undefined: every distance (global attention). */
  readonly reach: number | undefined;
}

const names = {
  words: 'embeddings.tok_embeddings',
  embeddingNorm: 'embeddings.norm',
  finalNorm: 'final_norm',
};

const layerNames = (layer: number) => ({
  /** The first layer has none: its input is normalized already. */
  attentionNorm: layer === 0 ? undefined : `layers.${layer}.attn_norm`,
  queryKeyValue: `layers.${layer}.attn.Wqkv`,
  attentionOutput: `layers.${layer}.attn.Wo`,
  mlpNorm: `layers.${layer}.mlp_norm`,
  /** The activated half of the hidden vector, then the half that gates it. */
  mlpInput: `layers.${layer}.mlp.Wi`,
  mlpOutput: `layers.${layer}.mlp.Wo`,
});

/** Pre-norm layers with rotary positions and gated feed-forwards: transformers/models/modernbert/modeling_modernbert.py */
export const modernBert: Family<ModernBertConfig> = {
  modelTypes: {
    modernbert: {
      vocab_size: 50368,
      hidden_size: 768,
      intermediate_size: 1152,
      num_hidden_layers: 22,
      num_attention_heads: 12,
      hidden_activation: 'gelu',
      max_position_embeddings: 8192,
      initializer_range: 0.02,
      norm_eps: 1e-5,
      norm_bias: false,
      pad_token_id: 50283,
      attention_bias: false,
      attention_dropout: 0,
      local_attention: 128,
      global_attn_every_n_layers: 3,
      embedding_dropout: 0,
      mlp_bias: false,
      mlp_dropout: 0,
    },
  },

  parse(keys) {
    keys.requireUsual();
    keys.requireOnly('position_embedding_type', 'absolute'); // in the file of ModernBERT-base, without an effect
    const { hiddenSize, numHeads } = keys.hiddenSizeAndHeads('hidden_size', 'num_attention_heads');
    const headSize = hiddenSize / numHeads;
    if (headSize % 2 !== 0) keys.refuse('num_attention_heads', 'such that the size of a head is even');
    keys.requireOnly('head_dim', headSize);
    keys.requireOnly('partial_rotary_factor', 1);
    const numLayers = keys.count('num_hidden_layers', { most: largestSizes.layers });
    const vocabSize = keys.count('vocab_size', { most: largestSizes.vocabulary });
    return {
      modelType: keys.modelType,
      hiddenSize,
      numHeads,
      numLayers,
      attentions: attentionsOf(keys, numLayers),
      vocabSize,
      intermediateSize: keys.count('intermediate_size', { most: largestSizes.intermediate }),
      activation: keys.activation('hidden_activation'),
      maxLength: keys.count('max_position_embeddings', { most: largestSizes.positions }),
      typeVocabSize: 0,
      normEps: keys.positive('norm_eps'),
      embeddingDropout: keys.rate('embedding_dropout'),
      attentionDropout: keys.rate('attention_dropout'),
      mlpDropout: keys.rate('mlp_dropout'),
      hasAttentionBias: keys.boolean('attention_bias'),
      hasMlpBias: keys.boolean('mlp_bias'),
      hasNormBias: keys.boolean('norm_bias'),
      padTokenId: keys.paddingId(vocabSize),
      initializerRange: keys.positive('initializer_range'),
    };
  },

  weights: (config) => [
    embeddingWeight(names.words, {
      rows: config.vocabSize,
      width: config.hiddenSize,
      std: config.initializerRange,
      zeroRow: config.padTokenId,
    }),
    ...normOf(config, names.embeddingNorm),
    ...Array.from({ length: config.numLayers }, (_, layer) => layerWeights(config, layer)).flat(),
    ...normOf(config, names.finalNorm),
  ],

  encode(config, trace) {
    const words = lookUp(trace, names.words, trace.input.ids, { paddingId: config.padTokenId });
    const normalized = trace.norm(names.embeddingNorm, words, config.normEps);
    const x = trace.dropout(embeddingSite, config.embeddingDropout, normalized);
    const positions = new AttentionPositions(trace, config);
    return encodeLayers(
      trace,
      config.numLayers,
      x,
      (hidden, tokens) => modernBertLayer(trace, config, positions, hidden, tokens),
      (last) => trace.norm(names.finalNorm, last, config.normEps),
    );
  },

  classifierClasses: () => [
    {
      name: 'ModernBertForSequenceClassification',
      reason: 'applies a norm before its last layer, and NeMo’s head does not',
    },
  ],

  onnx: {
    encode(config, trace) {
      const words = trace.graph.op('Gather', [trace.weight(`${names.words}.weight`), trace.ids]);
      const { normEps, hasNormBias: hasBias } = config;
      const x = trace.norm(names.embeddingNorm, trace.asTokens(words, config.hiddenSize), normEps, { hasBias });
      const last = encodeOnnxLayers(config.numLayers, x, (hidden, tokens) => onnxLayer(trace, config, hidden, tokens));
      return trace.norm(names.finalNorm, last, normEps, { hasBias });
    },
  },
};

/** The attention of each layer: `layer_types`, or global in every `global_attn_every_n_layers`-th layer from the first. */
function attentionsOf(keys: ConfigKeys, numLayers: number): AttentionKind[] {
  const global: AttentionKind = { theta: thetaOf(keys, 'full_attention'), reach: undefined };
  const local: AttentionKind = { theta: thetaOf(keys, 'sliding_attention'), reach: reachOf(keys) };
  const types = keys.valueOf('layer_types');
  if (types === undefined) {
    const every = keys.count('global_attn_every_n_layers', { most: largestSizes.layers });
    return Array.from({ length: numLayers }, (_, layer) => (layer % every === 0 ? global : local));
  }
  if (!Array.isArray(types) || types.length !== numLayers) {
    return keys.refuse('layer_types', `a list of num_hidden_layers (${numLayers}) names`);
  }
  return types.map((type: unknown) => {
    if (type === 'full_attention') return global;
    if (type === 'sliding_attention') return local;
    return keys.refuse('layer_types', 'a list of full_attention and sliding_attention');
  });
}

/** The key of the base of the rotary frequencies outside `rope_parameters`, and transformers' default. A flat `rope_theta` has no effect. */
const thetas = {
  full_attention: { key: 'global_rope_theta', usual: 160_000 },
  sliding_attention: { key: 'local_rope_theta', usual: 10_000 },
};

/**
 * The base of the rotary frequencies, as ModernBertConfig.convert_rope_params_to_dict finds it: `rope_scaling` updates the values of
 * `rope_parameters` in both types of layers, and files of transformers before version 5 have a key for each type.
 */
function thetaOf(keys: ConfigKeys, type: keyof typeof thetas): number {
  const nested = keys.section('rope_parameters');
  if (nested.given.some((key) => !Object.hasOwn(thetas, key))) {
    keys.refuse('rope_parameters', `an object with the keys ${Object.keys(thetas).join(' and ')}`);
  }
  const sections = [keys.section('rope_scaling'), nested.section(type)];
  for (const section of sections) {
    section.requireOnly('rope_type', 'default');
    section.requireOnly('type', 'default');
    section.requireOnly('partial_rotary_factor', 1);
  }
  const section = sections.find((one) => one.valueOf('rope_theta') !== undefined);
  if (section !== undefined) return section.positive('rope_theta');
  const { key, usual } = thetas[type];
  return keys.valueOf(key) === undefined ? usual : keys.positive(key);
}

/** The largest distance within a window: `local_attention` counts the positions on both sides. */
function reachOf(keys: ConfigKeys): number {
  const most = largestSizes.positions;
  if (keys.valueOf('sliding_window') !== undefined) return keys.count('sliding_window', { least: 0, most });
  return Math.floor(keys.count('local_attention', { most }) / 2);
}

const normOf = ({ hiddenSize, hasNormBias }: ModernBertConfig, name: string): WeightSpec[] =>
  normWeights(name, hiddenSize, { hasBias: hasNormBias });

function layerWeights(config: ModernBertConfig, layer: number): WeightSpec[] {
  const { hiddenSize: H, intermediateSize: I, initializerRange: std, hasAttentionBias, hasMlpBias } = config;
  const parts = layerNames(layer);
  return [
    ...(parts.attentionNorm === undefined ? [] : normOf(config, parts.attentionNorm)),
    ...linearWeights(parts.queryKeyValue, { outputs: 3 * H, inputs: H, std, hasBias: hasAttentionBias }),
    ...linearWeights(parts.attentionOutput, { outputs: H, inputs: H, std, hasBias: hasAttentionBias }),
    ...normOf(config, parts.mlpNorm),
    ...linearWeights(parts.mlpInput, { outputs: 2 * I, inputs: H, std, hasBias: hasMlpBias }),
    ...linearWeights(parts.mlpOutput, { outputs: H, inputs: I, std, hasBias: hasMlpBias }),
  ];
}

/** What depends on positions alone. Layers share it. */
class AttentionPositions {
  readonly #trace: EncoderTrace;
  readonly #headSize: number;
  readonly #rotations = new Map<number, { query: Rotations; key: Rotations }>();
  readonly #biases = new Map<string, Tensor>();

  constructor(trace: EncoderTrace, { hiddenSize, numHeads }: ModernBertConfig) {
    this.#trace = trace;
    this.#headSize = hiddenSize / numHeads;
  }

  /** The rotations of the keys, and those of the queries, which also divide by √D. */
  rotationsOf({ theta }: AttentionKind): { query: Rotations; key: Rotations } {
    const known = this.#rotations.get(theta);
    if (known !== undefined) return known;
    const key = rotations(this.#trace.length, this.#headSize, theta);
    const scale = 1 / Math.sqrt(this.#headSize);
    const made = { key, query: { cos: key.cos.mul(scale), sin: key.sin.mul(scale) } };
    this.#rotations.set(theta, made);
    return made;
  }

  /** What is added to the scores of `tokens`: float32's lowest value for padding and beyond the window. Broadcast to [B, A, length, T]. */
  biasOf({ reach }: AttentionKind, { length }: LayerTokens): Tensor {
    if (reach === undefined) return this.#trace.maskBias;
    const key = `${reach} ${length}`;
    const bias = this.#biases.get(key) ?? this.#windowBias(reach, length);
    this.#biases.set(key, bias);
    return bias;
  }

  /** [B, 1, length, T] */
  #windowBias(reach: number, length: number): Tensor {
    const { length: T, maskBias } = this.#trace;
    const queries = length === T ? range(T).reshape([T, 1]) : tfjs().zeros([1, 1], 'int32');
    const isBeyond = queries
      .sub(range(T).reshape([1, T]))
      .abs()
      .greater(tfjs().scalar(reach, 'int32'));
    return tfjs().minimum(maskBias, isBeyond.toFloat().mul(lowest));
  }
}

/** [B·T, H] -> [B·length, H] */
function modernBertLayer(
  trace: EncoderTrace,
  config: ModernBertConfig,
  positions: AttentionPositions,
  x: Tensor,
  tokens: LayerTokens,
): Tensor {
  const { attentionNorm, attentionOutput, mlpNorm } = layerNames(tokens.layer);
  const source = attentionNorm === undefined ? x : trace.norm(attentionNorm, x, config.normEps);
  const residual = tokens.select(x);
  const context = rotaryAttention(trace, config, positions, source, tokens);
  const attended = trace.linear(attentionOutput, context);
  const site = dropoutSites(tokens.layer).attentionOutput;
  const middle = residual.add(trace.dropout(site, config.attentionDropout, attended));
  return middle.add(gatedFeedForward(trace, config, trace.norm(mlpNorm, middle, config.normEps), tokens));
}

/** The context of each head, without the projection of the output: [B·T, H] -> [B·length, H]. */
function rotaryAttention(
  trace: EncoderTrace,
  config: ModernBertConfig,
  positions: AttentionPositions,
  x: Tensor,
  tokens: LayerTokens,
): Tensor {
  const kind = config.attentions[tokens.layer]!;
  const [query, key, value] = queryKeyValue(trace, config, positions.rotationsOf(kind), x, tokens);
  const scores = trace.matMul(query, key, { transposeB: true }).add(positions.biasOf(kind, tokens)); // [B, A, length, T]
  const dropout = { site: dropoutSites(tokens.layer).attention, rate: config.attentionDropout };
  return contextOf(trace, scores, value, tokens, dropout);
}

/** Turned queries of `tokens`, [B, A, length, D], divided by √D; turned keys, and values of all tokens, [B, A, T, D]. */
function queryKeyValue(
  trace: EncoderTrace,
  { hiddenSize: H, numHeads }: ModernBertConfig,
  turns: { query: Rotations; key: Rotations },
  x: Tensor,
  { layer, length, select }: LayerTokens,
): [Tensor, Tensor, Tensor] {
  const name = layerNames(layer).queryKeyValue;
  const weight = trace.weight(`${name}.weight`); // [3H, H]
  const bias = trace.biasOf(name);
  const heads = (of: Tensor, from: number, parts: number): Tensor[] => {
    if (parts === 3) return splitHeads(trace, of, { weight, bias }, 3, numHeads);
    const part = { weight: weight.slice([from * H, 0], [parts * H, H]), bias: bias?.slice([from * H], [parts * H]) };
    return splitHeads(trace, of, part, parts, numHeads);
  };
  if (length === trace.length) {
    const [query, key, value] = heads(x, 0, 3) as [Tensor, Tensor, Tensor];
    return [rotate(castTo(query, 'float32'), turns.query), rotate(castTo(key, 'float32'), turns.key), value];
  }
  // The first position is not turned.
  const [query] = heads(select(x), 0, 1) as [Tensor];
  const [key, value] = heads(x, 1, 2) as [Tensor, Tensor];
  return [castTo(query, 'float32').mul(1 / Math.sqrt(H / numHeads)), rotate(castTo(key, 'float32'), turns.key), value];
}

/** Wo(activation(a)·b), where Wi(x) is a and b: [N, H] -> [N, H]. */
function gatedFeedForward(
  trace: EncoderTrace,
  { activation, mlpDropout }: ModernBertConfig,
  x: Tensor,
  { layer }: LayerTokens,
): Tensor {
  const { mlpInput, mlpOutput } = layerNames(layer);
  const [inner, gate] = tfjs().split(trace.linear(mlpInput, x), 2, -1) as [Tensor, Tensor];
  const gated = activationOf(activation)(inner).mul(gate);
  return trace.linear(mlpOutput, trace.dropout(dropoutSites(layer).output, mlpDropout, gated));
}

/** `modernBertLayer` in ONNX: [rows · length, H] -> the same, or [rows, H]. */
function onnxLayer(trace: OnnxTrace, config: ModernBertConfig, x: string, tokens: OnnxTokens): string {
  const { hiddenSize, normEps: epsilon, hasNormBias: hasBias } = config;
  const parts = layerNames(tokens.layer);
  const source = parts.attentionNorm === undefined ? x : trace.norm(parts.attentionNorm, x, epsilon, { hasBias });
  const residual = tokens.onlyFirst ? trace.firstOf(trace.asRows(x, hiddenSize)) : x;
  const context = onnxAttention(trace, config, source, tokens);
  const attended = trace.multiply(parts.attentionOutput, context, { hasBias: config.hasAttentionBias });
  const middle = trace.add(residual, attended);
  const normalized = trace.norm(parts.mlpNorm, middle, epsilon, { hasBias });
  return trace.add(middle, onnxGatedFeedForward(trace, config, normalized, tokens));
}

/** `rotaryAttention` in ONNX: [rows · length, H] -> the same, or [rows, H]. */
function onnxAttention(
  trace: OnnxTrace,
  config: ModernBertConfig,
  x: string,
  { layer, onlyFirst }: OnnxTokens,
): string {
  const { graph } = trace;
  const { hiddenSize: H, numHeads, hasAttentionBias: hasBias } = config;
  const kind = config.attentions[layer]!;
  const stacked = trace.asRows(trace.multiply(layerNames(layer).queryKeyValue, x, { hasBias }), 3 * H);
  const [query, key, value] = [0, 1, 2].map((part) => trace.slice(stacked, 2, part * H, (part + 1) * H));
  const tables = onnxRotations(trace, config, kind);
  if (graph.isPortable) {
    const heads = [query, key, value].map((part) => splitOnnxHeads(trace, config, part!)) as [string, string, string];
    const queries = onlyFirst ? trace.slice(heads[0], 2, 0, 1) : turnInOnnx(trace, config, heads[0], tables);
    const keys = turnInOnnx(trace, config, heads[1], tables);
    const scores = trace.scaledProduct(queries, keys, { scale: 1 / Math.sqrt(H / numHeads), transposeB: true });
    return onnxContextOf(trace, config, [scores, onnxBias(trace, kind, onlyFirst)], heads[2]);
  }
  const turn = (of: string) => graph.fused('RotaryEmbedding', [of, trace.integers([0]), ...tables]);
  // The first position is not turned.
  const queries = onlyFirst ? trace.slice(query!, 1, 0, 1) : turn(query!);
  const inputs = [queries, turn(key!), value!, '', '', onnxBias(trace, kind, onlyFirst)];
  return trace.asTokens(graph.fused('MultiHeadAttention', inputs, { num_heads: { int: numHeads } }), H);
}

/** The rotation of queries or keys by their positions in ONNX's own operators: [rows, heads, length, D]. */
function turnInOnnx(
  trace: OnnxTrace,
  { hiddenSize, numHeads }: ModernBertConfig,
  x: string,
  tables: readonly [string, string],
): string {
  const { graph } = trace;
  const headSize = hiddenSize / numHeads;
  const length = graph.op('Unsqueeze', [trace.length, trace.integers([0])]);
  const [cos, sin] = tables.map((table) => trace.slice(table, 0, 0, length)) as [string, string];
  const left = trace.slice(x, 3, 0, headSize / 2);
  const right = trace.slice(x, 3, headSize / 2, headSize);
  const product = (a: string, b: string) => graph.op('Mul', [a, b]);
  const turned = [
    graph.op('Sub', [product(left, cos), product(right, sin)]),
    graph.op('Add', [product(right, cos), product(left, sin)]),
  ];
  return graph.op('Concat', turned, { axis: { int: -1 } });
}

/** The tables of cos and sin: two of [maxLength, D/2]. */
function onnxRotations(trace: OnnxTrace, config: ModernBertConfig, { theta }: AttentionKind): [string, string] {
  const { hiddenSize, numHeads, maxLength } = config;
  const headSize = hiddenSize / numHeads;
  const frequencies = rotaryFrequencies(headSize, theta);
  const table = (f: (angle: number) => number) => () => ({
    shape: [maxLength, headSize / 2],
    data: Float32Array.from({ length: (maxLength * headSize) / 2 }, (_, index) => {
      const position = Math.floor(index / frequencies.length);
      return f(Math.fround(position * frequencies[index % frequencies.length]!));
    }),
  });
  return [trace.constant(`cos ${theta}`, table(Math.cos)), trace.constant(`sin ${theta}`, table(Math.sin))];
}

/** `biasOf` in ONNX: [rows, 1, length or 1, length]. */
function onnxBias(trace: OnnxTrace, { reach }: AttentionKind, onlyFirst: boolean): string {
  const { graph } = trace;
  const queryCount = onlyFirst ? trace.integers([1]) : graph.op('Unsqueeze', [trace.length, trace.integers([0])]);
  const distances = trace.slice(trace.distances, 0, 0, queryCount);
  const farthest = trace.integer(reach ?? largestSizes.positions);
  const isBeyond = graph.op('Greater', [graph.op('Abs', [distances]), farthest]);
  return graph.op('Where', [isBeyond, trace.scalar(lowest), trace.maskBias]);
}

/** `gatedFeedForward` in ONNX: [N, H] -> [N, H]. */
function onnxGatedFeedForward(
  trace: OnnxTrace,
  { intermediateSize: I, activation, hasMlpBias: hasBias }: ModernBertConfig,
  x: string,
  { layer }: OnnxTokens,
): string {
  const { mlpInput, mlpOutput } = layerNames(layer);
  const both = trace.multiply(mlpInput, x, { hasBias });
  const [inner, gate] = [0, 1].map((part) => trace.slice(both, 1, part * I, (part + 1) * I));
  const noBias = trace.constant('no bias', () => ({ shape: [I], data: new Float32Array(I) }));
  const activated = onnxActivationOf(activation)(trace.graph, inner!, noBias);
  return trace.multiply(mlpOutput, trace.graph.op('Mul', [activated, gate!]), { hasBias });
}
