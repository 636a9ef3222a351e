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

export interface AttentionOptions {
  numHeads: number;
  /** Dropout of the probabilities. */
  dropout: { site: number; rate: number };
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
  const [query, key, value] = queryKeyValue(trace, names, x, tokens, numHeads) as [Tensor, Tensor, Tensor];
  const scores = trace.matMul(query, key, { transposeB: true }).add(scoreBias); // [B, A, length, T]
  return contextOf(trace, scores, value, tokens, dropout);
}

/** Queries of `tokens`, [B, A, length, D], divided by √D, and keys and values of all tokens, [B, A, T, D]. */
function queryKeyValue(
  trace: EncoderTrace,
  { query, key, value }: AttentionNames,
  x: Tensor,
  { length, select }: LayerTokens,
  numHeads: number,
): Tensor[] {
  if (length === trace.length) return projectHeads(trace, { scaled: [query], plain: [key, value] }, x, numHeads);
  return [
    ...projectHeads(trace, { scaled: [query], plain: [] }, select(x), numHeads),
    ...projectHeads(trace, { scaled: [], plain: [key, value] }, x, numHeads),
  ];
}

/**
 * Several projections of `x` by one matmul, each split into heads: [B, A, length, D], of the trace's precision, the scaled ones
 * first. They are divided by √D, for which their weights are scaled: these are smaller than queries and scores.
 *
 * @param x - [B·length, H]
 */
function projectHeads(
  trace: EncoderTrace,
  { scaled, plain }: { scaled: readonly string[]; plain: readonly string[] },
  x: Tensor,
  numHeads: number,
): Tensor[] {
  const { batchSize: B, precision } = trace;
  const names = [...scaled, ...plain];
  const headSize = trace.weight(`${names[0]!}.weight`).shape[0] / numHeads;
  const concatenated = (kind: 'weight' | 'bias') =>
    tfjs().concat(
      names.map((name, index) => {
        const weight = trace.weight(`${name}.${kind}`);
        return index < scaled.length ? weight.mul(1 / Math.sqrt(headSize)) : weight;
      }),
    );
  const length = x.shape[0] / B;
  const stacked = linear(x, concatenated('weight'), concatenated('bias'), { precision, result: precision })
    .reshape([B, length, names.length, numHeads, headSize])
    .transpose([2, 0, 3, 1, 4]);
  // tfjs's gradient of unstack fails for a stack of one.
  return names.length === 1 ? [stacked.reshape([B, numHeads, length, headSize])] : stacked.unstack();
}

/**
 * The sum of the values, weighted with the softmax of the scores.
 *
 * @param scores - [B, A, length, T], with the bias of the mask
 * @param value - [B, A, T, D]
 * @returns [B·length, A·D], of the trace's precision
 */
function contextOf(
  trace: EncoderTrace,
  scores: Tensor,
  value: Tensor,
  { layer, length }: LayerTokens,
  { site, rate }: { site: number; rate: number },
): Tensor {
  const [B, A, , D] = value.shape as [number, number, number, number];
  const probabilities = tfjs().softmax(scores);
  trace.reportAttention(layer, probabilities);
  return trace
    .matMul(trace.dropout(site, rate, probabilities), value, { result: trace.precision })
    .transpose([0, 2, 1, 3])
    .reshape([B * length, A * D]);
}
