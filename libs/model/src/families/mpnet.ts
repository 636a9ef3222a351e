import { embedding, range, type Tensor, tfjs } from '@nautil/tensorflow';
import { tanhBeforeLogits } from '../hugging-face/classifier-class.js';
import { selfAttention } from '../layers/attention.js';
import { embedAfterPadding, embeddingWeights } from '../layers/embeddings.js';
import type { EncoderTrace } from '../layers/encoder-trace.js';
import { mpnetBucket, mpnetBuckets } from '../layers/relative-buckets.js';
import {
  bertDefaults,
  finishEmbeddings,
  type LayerNames,
  parseTransformer,
  poolerWeights,
  postNormLayers,
  type TransformerConfig,
  weightsOfLayers,
} from '../layers/transformer.js';
import { bertAttention, onnxNormedEmbeddings, onnxPostNormLayers, type OnnxScoreBias } from '../onnx/onnx-layers.js';
import type { OnnxTrace } from '../onnx/onnx-trace.js';
import { embeddingWeight } from '../weight-spec.js';
import type { Family } from './family.js';

interface MpnetConfig extends TransformerConfig {
  /** Rows of the table of relative positions, of which the first 32 are used. */
  readonly numBuckets: number;
}

/** transformers counts positions from this id on, whatever the configuration's pad_token_id. */
const paddingIndex = 1;

const biasTable = 'encoder.relative_attention_bias';

function layerNames(layer: number): LayerNames {
  const prefix = `encoder.layer.${layer}`;
  return {
    attention: {
      query: `${prefix}.attention.attn.q`,
      key: `${prefix}.attention.attn.k`,
      value: `${prefix}.attention.attn.v`,
      output: `${prefix}.attention.attn.o`,
    },
    attentionNorm: `${prefix}.attention.LayerNorm`,
    feedForward: { up: `${prefix}.intermediate.dense`, down: `${prefix}.output.dense` },
    outputNorm: `${prefix}.output.LayerNorm`,
  };
}

/** RoBERTa without segments, and with relative positions that all layers share: transformers/models/mpnet/modeling_mpnet.py */
export const mpnet: Family<MpnetConfig> = {
  modelTypes: {
    mpnet: {
      ...bertDefaults,
      vocab_size: 30527,
      pad_token_id: 1,
      relative_attention_num_buckets: mpnetBuckets,
      type_vocab_size: 0,
    },
  },

  parse(keys) {
    const config = parseTransformer(keys, { leastTypes: 0 });
    const numBuckets = keys.count('relative_attention_num_buckets', { least: mpnetBuckets, most: 1 << 16 });
    const maxLength = config.maxPositions - paddingIndex - 1;
    if (maxLength < 1) keys.refuse('max_position_embeddings', `above ${paddingIndex + 1}`);
    return { ...config, typeVocabSize: 0, maxLength, numBuckets };
  },

  weights: (config) => [
    ...embeddingWeights({ ...config, padTokenId: paddingIndex }, { width: config.hiddenSize, paddedPositions: true }),
    embeddingWeight(biasTable, { rows: config.numBuckets, width: config.numHeads, std: config.initializerRange }),
    ...weightsOfLayers(config, layerNames),
    ...poolerWeights(config),
  ],

  encode(config, trace) {
    const { numHeads } = config;
    const x = embedAfterPadding(trace, { typeVocabSize: 0, padTokenId: paddingIndex });
    // Layers share the biases: of every query, and of the first alone.
    const biases = new Map<number, Tensor>();
    const biasOf = (length: number): Tensor => {
      const bias = biases.get(length) ?? positionBias(trace, config, length).add(trace.maskBias);
      biases.set(length, bias);
      return bias;
    };
    return postNormLayers(
      trace,
      config,
      layerNames,
      finishEmbeddings(trace, config, x),
      (names, source, tokens, dropout) =>
        selfAttention(trace, names, source, tokens, { numHeads, dropout, scoreBias: biasOf(tokens.length) }),
    );
  },

  classifierClasses: () => [tanhBeforeLogits('MPNetForSequenceClassification')],

  onnx: {
    encode: (config, trace) =>
      onnxPostNormLayers(
        trace,
        config,
        layerNames,
        onnxNormedEmbeddings(trace, config, trace.positionsAfter(paddingIndex)),
        bertAttention(trace, config, onnxPositionBias(trace, config)),
      ),
  },
};

/** What is added to the scores of the first `length` queries with each key, for their distance: [A, length, T]. */
function positionBias(trace: EncoderTrace, { maxLength, numHeads }: MpnetConfig, length: number): Tensor {
  const tf = tfjs();
  const T = trace.length;
  const buckets = tf.tensor1d(bucketsOf(maxLength), 'int32');
  const distances = range(T)
    .reshape([1, T])
    .sub(range(length).reshape([length, 1])); // j - i
  const indexes = tf.gather(buckets, distances.reshape([length * T]).add(tf.scalar(maxLength, 'int32')));
  return embedding(trace.weight(`${biasTable}.weight`), indexes)
    .transpose([1, 0])
    .reshape([numHeads, length, T]);
}

/** The buckets of the distances from -maxLength to maxLength. */
const bucketsOf = (maxLength: number): number[] =>
  Array.from({ length: 2 * maxLength + 1 }, (_, index) => mpnetBucket(index - maxLength));

/** `positionBias` in ONNX. */
function onnxPositionBias(trace: OnnxTrace, { maxLength }: MpnetConfig): OnnxScoreBias {
  const { graph } = trace;
  const buckets = trace.constant('buckets', () => ({
    shape: [2 * maxLength + 1],
    data: Int32Array.from(bucketsOf(maxLength)),
  }));
  const indexes = graph.op('Gather', [buckets, trace.add(trace.distances, trace.integer(maxLength))]);
  const biases = graph.op('Gather', [trace.weight(`${biasTable}.weight`), indexes]); // [length, length, heads]
  const all = graph.op('Transpose', [biases], { perm: { ints: [2, 0, 1] } });
  const first = graph.op('Gather', [all, trace.integer(0)], { axis: { int: 1 } }); // [heads, length]
  return { all: graph.op('Unsqueeze', [all, trace.integers([0])]), first };
}
