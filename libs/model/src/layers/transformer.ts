import type { Tensor } from '@nautil/tensorflow';
import { type ConfigKeys, largestSizes } from '../config-keys.js';
import type { EncoderConfig } from '../encoder-config.js';
import { linearWeights, normWeights, unused, type WeightSpec } from '../weight-spec.js';
import { type AttentionNames, type DropoutSite, selfAttention } from './attention.js';
import { embeddingNames } from './embeddings.js';
import type { EncoderTrace, LayerTokens } from './encoder-trace.js';
import { feedForward, type FeedForwardNames } from './feed-forward.js';

/** The settings of an encoder whose layers are BERT's. */
export interface TransformerConfig extends EncoderConfig {
  readonly intermediateSize: number;
  /** Hugging Face's name of the feed-forward's activation. */
  readonly activation: string;
  /** Size of the table of positions. */
  readonly maxPositions: number;
  readonly layerNormEps: number;
  /** Dropout rates: of the embeddings, the attention probabilities, and the output of each half of a layer. */
  readonly embeddingDropout: number;
  readonly attentionDropout: number;
  readonly attentionOutputDropout: number;
  readonly feedForwardDropout: number;
}

/** transformers' defaults of BertConfig. */
export const bertDefaults = {
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  initializer_range: 0.02,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
};

/**
 * The settings under BertConfig's keys.
 *
 * @param o.leastTypes - the smallest `type_vocab_size`; 0: the family may have no segments
 */
export function parseTransformer(
  keys: ConfigKeys,
  { leastTypes = 1 }: { leastTypes?: number } = {},
): TransformerConfig {
  keys.requireUsual();
  keys.requireOnly('position_embedding_type', 'absolute');
  const dropout = keys.rate('hidden_dropout_prob');
  const vocabSize = keys.count('vocab_size', { most: largestSizes.vocabulary });
  const maxPositions = keys.count('max_position_embeddings', { most: largestSizes.positions });
  return {
    modelType: keys.modelType,
    ...keys.hiddenSizeAndHeads('hidden_size', 'num_attention_heads'),
    activation: keys.activation('hidden_act'),
    vocabSize,
    numLayers: keys.count('num_hidden_layers', { most: largestSizes.layers }),
    intermediateSize: keys.count('intermediate_size', { most: largestSizes.intermediate }),
    maxPositions,
    maxLength: maxPositions,
    typeVocabSize: keys.count('type_vocab_size', { least: leastTypes, most: largestSizes.types }),
    layerNormEps: keys.positive('layer_norm_eps'),
    embeddingDropout: dropout,
    attentionDropout: keys.rate('attention_probs_dropout_prob'),
    attentionOutputDropout: dropout,
    feedForwardDropout: dropout,
    padTokenId: keys.paddingId(vocabSize),
    initializerRange: keys.positive('initializer_range'),
  };
}

/** Names of the parts of a layer, without `.weight` and `.bias`. */
export interface LayerNames {
  readonly attention: AttentionNames;
  /** The norm after the attention; in a pre-norm layer, before it. */
  readonly attentionNorm: string;
  readonly feedForward: FeedForwardNames;
  /** The norm after the feed-forward; in a pre-norm layer, before it. */
  readonly outputNorm: string;
}

/** The names of BertLayer under a prefix. */
export const bertLayerNames = (prefix: string): LayerNames => ({
  attention: {
    query: `${prefix}.attention.self.query`,
    key: `${prefix}.attention.self.key`,
    value: `${prefix}.attention.self.value`,
    output: `${prefix}.attention.output.dense`,
  },
  attentionNorm: `${prefix}.attention.output.LayerNorm`,
  feedForward: { up: `${prefix}.intermediate.dense`, down: `${prefix}.output.dense` },
  outputNorm: `${prefix}.output.LayerNorm`,
});

/** The context of each head of an attention, without the projection of the output: [B·T, H] -> [B·length, A·D]. */
export type Attend = (names: AttentionNames, x: Tensor, tokens: LayerTokens, dropout: DropoutSite) => Tensor;

/** The weights of one layer. */
export function layerWeights(
  { hiddenSize, intermediateSize, initializerRange: std }: TransformerConfig,
  names: LayerNames,
): WeightSpec[] {
  const { query, key, value, output } = names.attention;
  const { up, down } = names.feedForward;
  return [
    ...[query, key, value, output].flatMap((name) =>
      linearWeights(name, { outputs: hiddenSize, inputs: hiddenSize, std }),
    ),
    ...normWeights(names.attentionNorm, hiddenSize),
    ...linearWeights(up, { outputs: intermediateSize, inputs: hiddenSize, std }),
    ...linearWeights(down, { outputs: hiddenSize, inputs: intermediateSize, std }),
    ...normWeights(names.outputNorm, hiddenSize),
  ];
}

/** The weights of all layers. */
export const weightsOfLayers = (config: TransformerConfig, layerNames: (layer: number) => LayerNames): WeightSpec[] =>
  Array.from({ length: config.numLayers }, (_, layer) => layerWeights(config, layerNames(layer))).flat();

/** Hugging Face's pooler, which NeMo's classifier does not use. */
export const poolerName = 'pooler.dense';

/** The weights of the pooler, which are only passed on from file to file. */
export const poolerWeights = ({ hiddenSize: size, initializerRange: std }: EncoderConfig): WeightSpec[] =>
  unused(linearWeights(poolerName, { outputs: size, inputs: size, std }));

/** Sites of a layer's dropouts; site 0 is the embeddings'. They do not depend on `firstTokenOnly`. */
export const dropoutSites = (layer: number) => ({
  attention: 3 * layer + 1,
  attentionOutput: 3 * layer + 2,
  output: 3 * layer + 3,
});

/** Site of the dropout of the embeddings. */
export const embeddingSite = 0;

/** Norm and dropout of the sum of the embeddings: [B·T, E] -> the same. */
export function finishEmbeddings(
  trace: EncoderTrace,
  { layerNormEps, embeddingDropout }: TransformerConfig,
  sum: Tensor,
): Tensor {
  return trace.dropout(embeddingSite, embeddingDropout, trace.norm(embeddingNames.norm, sum, layerNormEps));
}

/**
 * The layers of BERT, on embeddings of [B·T, H]: [B·T, H], or [B, H] with `firstTokenOnly`.
 *
 * @param attend - the attention of a layer; default: BERT's
 */
export const postNormLayers = (
  trace: EncoderTrace,
  config: TransformerConfig,
  layerNames: (layer: number) => LayerNames,
  x: Tensor,
  attend?: Attend,
): Tensor =>
  encodeLayers(trace, config.numLayers, x, (hidden, tokens) =>
    postNormLayer(trace, config, layerNames(tokens.layer), hidden, tokens, attend),
  );

/**
 * Computes the layers one after the other, and passes each output to the trace.
 *
 * @param x - the embeddings, [B·T, H]
 * @param layer - returns the output of the layer's tokens, [B·length, H]
 * @param finalNorm - is applied to the last layer's output
 * @returns [B·T, H], or [B, H] with `firstTokenOnly`
 */
export function encodeLayers(
  trace: EncoderTrace,
  numLayers: number,
  x: Tensor,
  layer: (x: Tensor, tokens: LayerTokens) => Tensor,
  finalNorm: (x: Tensor) => Tensor = (last) => last,
): Tensor {
  let hidden = x;
  trace.reportHidden(0, hidden, trace.length);
  for (let index = 0; index < numLayers; index++) {
    const tokens = trace.tokensOf(index, numLayers);
    hidden = layer(hidden, tokens);
    if (index === numLayers - 1) hidden = finalNorm(hidden);
    trace.reportHidden(index + 1, hidden, tokens.length);
  }
  return hidden;
}

/** A layer of BERT: each half is added to its input, then normalized (post-norm). [B·T, H] -> [B·length, H] */
export function postNormLayer(
  trace: EncoderTrace,
  config: TransformerConfig,
  names: LayerNames,
  x: Tensor,
  tokens: LayerTokens,
  attend?: Attend,
): Tensor {
  const { layerNormEps } = config;
  // Selected before the attention: gradients are summed in the order of the operations, and a resumed run must get equal bytes.
  const residual = tokens.select(x);
  const attended = attentionHalf(trace, config, names, x, tokens, attend);
  const middle = trace.norm(names.attentionNorm, residual.add(attended), layerNormEps);
  const output = feedForwardHalf(trace, config, names, middle, tokens);
  return trace.norm(names.outputNorm, middle.add(output), layerNormEps);
}

/** A layer whose halves read their input normalized (pre-norm), as Megatron-BERT's. [B·T, H] -> [B·length, H] */
export function preNormLayer(
  trace: EncoderTrace,
  config: TransformerConfig,
  names: LayerNames,
  x: Tensor,
  tokens: LayerTokens,
): Tensor {
  const { layerNormEps } = config;
  const source = trace.norm(names.attentionNorm, x, layerNormEps);
  const residual = tokens.select(x);
  const middle = residual.add(attentionHalf(trace, config, names, source, tokens));
  const normalized = trace.norm(names.outputNorm, middle, layerNormEps);
  return middle.add(feedForwardHalf(trace, config, names, normalized, tokens));
}

/** The attention with its output projection and dropouts: [B·T, H] -> [B·length, H]. */
function attentionHalf(
  trace: EncoderTrace,
  { numHeads, attentionDropout, attentionOutputDropout }: TransformerConfig,
  { attention }: LayerNames,
  x: Tensor,
  tokens: LayerTokens,
  attend: Attend = (names, source, at, dropout) => selfAttention(trace, names, source, at, { numHeads, dropout }),
): Tensor {
  const sites = dropoutSites(tokens.layer);
  const context = attend(attention, x, tokens, { site: sites.attention, rate: attentionDropout });
  return trace.dropout(sites.attentionOutput, attentionOutputDropout, trace.linear(attention.output, context));
}

/** The feed-forward with its dropout: [N, H] -> [N, H]. */
function feedForwardHalf(
  trace: EncoderTrace,
  { activation, feedForwardDropout }: TransformerConfig,
  names: LayerNames,
  x: Tensor,
  { layer }: LayerTokens,
): Tensor {
  const output = feedForward(trace, names.feedForward, activation, x);
  return trace.dropout(dropoutSites(layer).output, feedForwardDropout, output);
}
