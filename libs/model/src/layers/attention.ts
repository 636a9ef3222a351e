import { linear, type Tensor, tfjs } from '@nautil/tensorflow';
import type { EncoderTrace, LayerTokens } from './encoder-trace.js';

/** Names of an attention's projections, without `.weight` and `.bias`. */
export interface AttentionNames {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  /** The projection from the heads back to the hidden size. */
  readonly output: string;
}

/** A dropout with its place within the model. */
export interface DropoutSite {
  site: number;
  rate: number;
}

export interface AttentionOptions {
  numHeads: number;
  /** Dropout of the probabilities. */
  dropout: DropoutSite;
  /** Is added to the scores, broadcast to [B, A, length, T]. Default: the mask's bias. */
  scoreBias?: Tensor | undefined;
}

/**
 * The context of each head of a self-attention, as in BertSelfAttention: softmax(Q·Kᵀ/√D + bias)·V.
 *
 * @param x - [B·T, H], to whose tokens `tokens` attend
 * @returns [B·length, A·D], of the trace's precision; `names.output` is not applied
 */
export function selfAttention(
  trace: EncoderTrace,
  names: AttentionNames,
  x: Tensor,
  tokens: LayerTokens,
  { numHeads, dropout, scoreBias = trace.maskBias }: AttentionOptions,
): Tensor {
  const [query, key, value] = queryKeyValue(trace, names, x, tokens, { numHeads }) as [Tensor, Tensor, Tensor];
  const scores = trace.matMul(query, key, { transposeB: true }).add(scoreBias); // [B, A, length, T]
  return contextOf(trace, scores, value, tokens, dropout);
}

export interface Heads {
  numHeads: number;
  /** What the queries are multiplied with. Default 1/√D. */
  queryScale?: number;
}

/** Queries of `tokens`, [B, A, length, D], multiplied with their scale, and keys and values of all tokens, [B, A, T, D]. */
export function queryKeyValue(
  trace: EncoderTrace,
  { query, key, value }: AttentionNames,
  x: Tensor,
  { length, select }: LayerTokens,
  heads: Heads,
): Tensor[] {
  if (length === trace.length) return projectHeads(trace, { scaled: [query], plain: [key, value] }, x, heads);
  return [
    ...projectHeads(trace, { scaled: [query], plain: [] }, select(x), heads),
    ...projectHeads(trace, { scaled: [], plain: [key, value] }, x, heads),
  ];
}

/**
 * Several projections of `x` by one matmul, each split into heads: [B, A, length, D], of the trace's precision, the scaled ones
 * first. For these their weights are multiplied with `queryScale`: weights are smaller than queries and scores.
 *
 * @param x - [B·length, H]
 */
function projectHeads(
  trace: EncoderTrace,
  { scaled, plain }: { scaled: readonly string[]; plain: readonly string[] },
  x: Tensor,
  { numHeads, queryScale }: Heads,
): Tensor[] {
  const names = [...scaled, ...plain];
  const headSize = trace.weight(`${names[0]!}.weight`).shape[0] / numHeads;
  const concatenated = (kind: 'weight' | 'bias') =>
    tfjs().concat(
      names.map((name, index) => {
        const weight = trace.weight(`${name}.${kind}`);
        return index < scaled.length ? weight.mul(queryScale ?? 1 / Math.sqrt(headSize)) : weight;
      }),
    );
  return splitHeads(trace, x, { weight: concatenated('weight'), bias: concatenated('bias') }, names.length, numHeads);
}

/**
 * The heads of `parts` projections whose weights are stacked: each [B, A, length, D], of the trace's precision.
 *
 * @param x - [B·length, H]
 * @param o.weight - [parts·A·D, H]
 * @param o.bias - [parts·A·D]
 */
export function splitHeads(
  { batchSize: B, precision }: EncoderTrace,
  x: Tensor,
  { weight, bias }: { weight: Tensor; bias?: Tensor | undefined },
  parts: number,
  numHeads: number,
): Tensor[] {
  const length = x.shape[0] / B;
  const headSize = weight.shape[0] / (parts * numHeads);
  const stacked = linear(x, weight, bias, { precision, result: precision })
    .reshape([B, length, parts, numHeads, headSize])
    .transpose([2, 0, 3, 1, 4]);
  // tfjs's gradient of unstack fails for a stack of one.
  return parts === 1 ? [stacked.reshape([B, numHeads, length, headSize])] : stacked.unstack();
}

/**
 * The sum of the values, weighted with the softmax of the scores.
 *
 * @param scores - [B, A, length, T], with the bias of the mask
 * @param value - [B, A, T, D]
 * @returns [B·length, A·D], of the trace's precision
 */
export function contextOf(
  trace: EncoderTrace,
  scores: Tensor,
  value: Tensor,
  { layer, length }: LayerTokens,
  { site, rate }: DropoutSite,
): Tensor {
  const [B, A, , D] = value.shape as [number, number, number, number];
  const probabilities = tfjs().softmax(scores);
  trace.reportAttention(layer, probabilities);
  return trace
    .matMul(trace.dropout(site, rate, probabilities), value, { result: trace.precision })
    .transpose([0, 2, 1, 3])
    .reshape([B * length, A * D]);
}
