import {
  dropout,
  layerNorm,
  linear,
  matMulIn,
  tfjs,
  type DropoutDraw,
  type Precision,
  type Tensor,
} from '@nautil/tensorflow';
import { activationOf } from './activation.js';
import { maxLength, type EncoderConfig } from './encoder-config.js';
import { InputTooLong } from './errors.js';
import { embeddingNames, finalNorm, layerNames, type LayerNames } from './weights.js';

/** Traced tensors by the names that `encoderWeights` and `headWeights` give. */
export type Weights = Readonly<Record<string, Tensor>>;

export interface EncoderInput {
  /** int32 [B, T] */
  ids: Tensor;
  /** int32 [B, T]: 1 for a token, 0 for padding. */
  mask: Tensor;
  /** int32 [B, T]: segments; default: all 0. */
  types?: Tensor | undefined;
}

export interface EncodeOptions {
  /** With it the configuration's dropouts are active; without, none is. */
  dropout?: DropoutDraw | undefined;
  /** Compute the last layer for the first token alone, which is all that a classifier reads. Default false. */
  firstTokenOnly?: boolean;
  /** What matmuls read. Default float32. */
  precision?: Precision;
  /** Called with [B, T, H]: the embeddings as layer 0, then what each layer leaves ([B, 1, H] for the last with `firstTokenOnly`). */
  onHidden?: (layer: number, hidden: Tensor) => void;
  /** Called with each layer's probabilities, from 0: [B, A, T, T] ([B, A, 1, T] for the last with `firstTokenOnly`). */
  onAttention?: (layer: number, probabilities: Tensor) => void;
}

/** Where a layer's dropouts draw from; the embeddings' is site 0. They don't move when `firstTokenOnly` changes. */
const sites = { attention: 1, attentionOutput: 2, output: 3, perLayer: 3 };

// float32's lowest value, as transformers masks: a row that is all padding gets even probabilities, where -Infinity would give NaN.
const lowest = -3.4028234663852886e38;

/**
 * The hidden states that an encoder gives: [B, T, H], or [B, H] with `firstTokenOnly`. For use inside `trace`.
 *
 * @example
 * const first = encode(config, weights, { ids, mask }, { firstTokenOnly: true });
 */
export function encode(config: EncoderConfig, weights: Weights, input: EncoderInput, o: EncodeOptions = {}): Tensor {
  const tf = tfjs();
  const { family, hiddenSize: H, numHeads: A, numLayers } = config;
  const [B, T] = input.ids.shape as [number, number];
  if (T > maxLength(config)) {
    throw new InputTooLong(`rows of ${T} tokens: this ${config.modelType} has positions for ${maxLength(config)}`, {
      hint: `set model.dataset.max_seq_length to at most ${maxLength(config)}`,
    });
  }
  const D = H / A;
  const preNorm = family === 'megatron-bert';
  const activation = activationOf(config.activation);
  const matMul = matMulIn(o.precision ?? 'float32');

  const project = (name: string, x: Tensor) =>
    linear(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!, o.precision);
  const norm = (name: string, x: Tensor) =>
    layerNorm(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!, config.layerNormEps);
  const drop = (site: number, rate: number, x: Tensor) =>
    o.dropout ? dropout(x, { ...o.dropout, rate, site, rows: B }) : x;
  const firstOf = (x: Tensor) => tf.slice(x.reshape([B, T, H]), [0, 0, 0], [B, 1, H]).reshape([B, H]);
  const heads = (x: Tensor, length: number) => x.reshape([B, length, A, D]).transpose([0, 2, 1, 3]); // [B, A, length, D]

  const maskBias = tf.sub(1, input.mask.toFloat()).mul(lowest).reshape([B, 1, 1, T]);

  /** What a layer's attention adds to `x`: [B·length, H], where `length` is 1 when only the first token asks. */
  const attend = (layer: number, names: LayerNames, x: Tensor, asking: Tensor, length: number): Tensor => {
    const query = heads(project(names.query, asking).mul(1 / Math.sqrt(D)), length);
    const scores = matMul(query, heads(project(names.key, x), T), false, true).add(maskBias); // [B, A, length, T]
    const probabilities = tf.softmax(scores);
    o.onAttention?.(layer, probabilities);
    const site = sites.perLayer * layer;
    const dropped = drop(site + sites.attention, config.attentionDropout, probabilities);
    const context = matMul(dropped, heads(project(names.value, x), T))
      .transpose([0, 2, 1, 3])
      .reshape([B * length, H]);
    const output = project(names.attentionOutput, context);
    // DistilBERT alone has no dropout here.
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
    const kept = onlyFirst ? firstOf(x) : x;
    const asking = onlyFirst ? firstOf(source) : source;
    if (preNorm) {
      x = kept.add(attend(layer, names, source, asking, length));
      x = x.add(feedForward(layer, names, norm(names.outputNorm, x)));
    } else {
      x = norm(names.attentionNorm, kept.add(attend(layer, names, source, asking, length)));
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
  const look = (name: string, at: Tensor) => tf.gather(weights[name]!, at.reshape([B * T])); // [B·T, H]
  const segments = config.typeVocabSize > 0;
  let x = look(embeddingNames.words, ids);
  if (types && segments) x = x.add(look(embeddingNames.types, types));
  if (config.family === 'roberta') {
    // Its positions count what is not the padding token's id (not what the mask keeps), from that id + 1 on.
    const real = ids.notEqual(tf.scalar(padTokenId, 'int32')).toInt();
    x = x.add(look(embeddingNames.positions, tf.cumsum(real, 1).mul(real).add(tf.scalar(padTokenId, 'int32'))));
    return types || !segments ? x : x.add(tf.slice(weights[embeddingNames.types]!, [0, 0], [1, H]));
  }
  let positions = tf.slice(weights[embeddingNames.positions]!, [0, 0], [T, H]);
  if (!types && segments) positions = positions.add(tf.slice(weights[embeddingNames.types]!, [0, 0], [1, H]));
  return x
    .reshape([B, T, H])
    .add(positions)
    .reshape([B * T, H]);
}
