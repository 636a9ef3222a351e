import {
  dropout,
  type DropoutDraw,
  embedding,
  layerNorm,
  linear,
  matMulIn,
  type Precision,
  range,
  type Tensor,
  tfjs,
} from '@nautil/tensorflow';
import { activationOf } from './activation.js';
import type { EncoderConfig } from './encoder-config.js';
import { embeddingNames, finalNorm, type LayerNames, layerNames } from './weights.js';

/** Traced tensors, by the names in `encoderWeights` and `headWeights`. */
export type Weights = Readonly<Record<string, Tensor>>;

export interface EncoderInput {
  /** int32 [B, T] */
  ids: Tensor;
  /** int32 [B, T]: 1 for a token, 0 for padding. */
  mask: Tensor;
  /** int32 [B, T]: segment ids; default: all 0. */
  types?: Tensor | undefined;
}

export interface EncodeOptions {
  /** Enables the dropouts of the configuration. */
  dropout?: DropoutDraw | undefined;
  /** Computes the last layer for the first token only, which is all that a classifier reads. Default false. */
  firstTokenOnly?: boolean;
  /** Type of the inputs of matmuls. Default float32. */
  precision?: Precision;
  /** Receives the embeddings as layer 0, then each layer's output, [B, T, H]; with `firstTokenOnly`, the last is [B, 1, H]. */
  onHidden?: (layer: number, hidden: Tensor) => void;
  /** Receives each layer's probabilities, from layer 0, [B, A, T, T]; with `firstTokenOnly`, the last are [B, A, 1, T]. */
  onAttention?: (layer: number, probabilities: Tensor) => void;
}

/** Sites of a layer's dropouts; site 0 is the embeddings'. They do not depend on `firstTokenOnly`. */
const sites = { attention: 1, attentionOutput: 2, output: 3, perLayer: 3 };

// float32's lowest value, as in transformers. A row that is all padding gets uniform probabilities; -Infinity would give NaN.
const lowest = -3.4028234663852886e38;

/**
 * The last hidden states of an encoder: [B, T, H], or [B, H] with `firstTokenOnly`. For use inside `trace`.
 *
 * @example
 * const first = encode(config, weights, { ids, mask }, { firstTokenOnly: true });
 */
export function encode(config: EncoderConfig, weights: Weights, input: EncoderInput, o: EncodeOptions = {}): Tensor {
  const tf = tfjs();
  const { family, hiddenSize: H, numHeads: A, numLayers } = config;
  const [B, T] = input.ids.shape as [number, number];
  const D = H / A;
  const preNorm = family === 'megatron-bert';
  const activation = activationOf(config.activation);
  const precision = o.precision ?? 'float32';
  const matMul = matMulIn(precision);

  const project = (name: string, x: Tensor) =>
    linear(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!, { precision });
  const norm = (name: string, x: Tensor) =>
    layerNorm(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!, config.layerNormEps);
  const drop = (site: number, rate: number, x: Tensor) =>
    o.dropout ? dropout(x, { ...o.dropout, rate, site, rows: B }) : x;
  const firstOf = (x: Tensor) => embedding(x, range(B, T));
  /**
   * Several projections of `x` by one matmul, each split into heads: [B, A, length, D], of type `precision`. Queries are divided
   * by √D, for which their weights are scaled: they are smaller than queries and scores.
   */
  const heads = (
    names: LayerNames,
    parts: readonly ('query' | 'key' | 'value')[],
    x: Tensor,
    length: number,
  ): Tensor[] => {
    const concatenated = (kind: 'weight' | 'bias') =>
      tf.concat(
        parts.map((part) => {
          const weight = weights[`${names[part]}.${kind}`]!;
          return part === 'query' ? weight.mul(1 / Math.sqrt(D)) : weight;
        }),
      );
    const stacked = linear(x, concatenated('weight'), concatenated('bias'), { precision, result: precision })
      .reshape([B, length, parts.length, A, D])
      .transpose([2, 0, 3, 1, 4]);
    // tfjs's gradient of unstack fails for a stack of one.
    return parts.length === 1 ? [stacked.reshape([B, A, length, D])] : stacked.unstack();
  };
  const queryKeyValue = (names: LayerNames, x: Tensor, querying: Tensor, length: number): Tensor[] =>
    length === T
      ? heads(names, ['query', 'key', 'value'], x, T)
      : [...heads(names, ['query'], querying, length), ...heads(names, ['key', 'value'], x, T)];

  const maskBias = tf.sub(1, input.mask.toFloat()).mul(lowest).reshape([B, 1, 1, T]);

  /** The attention output that is added to `x`: [B·length, H]. `length` is the number of queries per row, 1 or T. */
  const attend = (layer: number, names: LayerNames, x: Tensor, querying: Tensor, length: number): Tensor => {
    const [query, key, value] = queryKeyValue(names, x, querying, length) as [Tensor, Tensor, Tensor];
    const scores = matMul(query, key, { transposeB: true }).add(maskBias); // [B, A, length, T]
    const probabilities = tf.softmax(scores);
    o.onAttention?.(layer, probabilities);
    const site = sites.perLayer * layer;
    const dropped = drop(site + sites.attention, config.attentionDropout, probabilities);
    const context = matMul(dropped, value, { result: precision })
      .transpose([0, 2, 1, 3])
      .reshape([B * length, H]);
    const output = project(names.attentionOutput, context);
    // Only DistilBERT has no dropout here.
    return family === 'distilbert' ? output : drop(site + sites.attentionOutput, config.hiddenDropout, output);
  };
  const feedForward = (layer: number, names: LayerNames, x: Tensor): Tensor =>
    drop(
      sites.perLayer * layer + sites.output,
      config.hiddenDropout,
      project(names.down, activation(project(names.up, x))),
    );

  let x = embed(config, weights, input);
  if (!preNorm) x = norm(embeddingNames.norm, x);
  x = drop(0, config.hiddenDropout, x); // [B·T, H]
  o.onHidden?.(0, x.reshape([B, T, H]));
  for (let layer = 0; layer < numLayers; layer++) {
    const names = layerNames(family, layer);
    const onlyFirst = o.firstTokenOnly === true && layer === numLayers - 1;
    const length = onlyFirst ? 1 : T;
    const source = preNorm ? norm(names.attentionNorm, x) : x;
    const residual = onlyFirst ? firstOf(x) : x;
    const querying = onlyFirst ? firstOf(source) : source;
    if (preNorm) {
      x = residual.add(attend(layer, names, source, querying, length));
      x = x.add(feedForward(layer, names, norm(names.outputNorm, x)));
    } else {
      x = norm(names.attentionNorm, residual.add(attend(layer, names, source, querying, length)));
      x = norm(names.outputNorm, x.add(feedForward(layer, names, x)));
    }
    if (preNorm && layer === numLayers - 1) x = norm(finalNorm, x);
    o.onHidden?.(layer + 1, x.reshape([B, length, H]));
  }
  return o.firstTokenOnly ? x : x.reshape([B, T, H]);
}

/** The sum of the embeddings of words, positions and segments: [B·T, H]. */
function embed(config: EncoderConfig, weights: Weights, { ids, types }: EncoderInput): Tensor {
  const tf = tfjs();
  const { hiddenSize: H, padTokenId } = config;
  const [B, T] = ids.shape as [number, number];
  const lookUp = (name: string, indices: Tensor) => embedding(weights[name]!, indices.reshape([B * T])); // [B·T, H]
  const segments = config.typeVocabSize > 0;
  let x = lookUp(embeddingNames.words, ids);
  if (types && segments) x = x.add(lookUp(embeddingNames.types, types));
  if (config.family === 'roberta') {
    // RoBERTa counts the tokens whose id is not the padding token's, whatever the mask, starting at that id + 1.
    const real = ids.notEqual(tf.scalar(padTokenId, 'int32')).toInt();
    x = x.add(lookUp(embeddingNames.positions, tf.cumsum(real, 1).mul(real).add(tf.scalar(padTokenId, 'int32'))));
    return types || !segments ? x : x.add(tf.slice(weights[embeddingNames.types]!, [0, 0], [1, H]));
  }
  let positions = embedding(weights[embeddingNames.positions]!, range(T));
  if (!types && segments) positions = positions.add(tf.slice(weights[embeddingNames.types]!, [0, 0], [1, H]));
  return x
    .reshape([B, T, H])
    .add(positions)
    .reshape([B * T, H]);
}
