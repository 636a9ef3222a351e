import { tanhBeforeLogits } from '../hugging-face/classifier-class.js';
import { embeddingTables, embedFromZero } from '../layers/embeddings.js';
import {
  bertDefaults,
  bertLayerNames,
  embeddingSite,
  encodeLayers,
  type LayerNames,
  parseTransformer,
  poolerWeights,
  preNormLayer,
  type TransformerConfig,
  weightsOfLayers,
} from '../layers/transformer.js';
import { encodeOnnxLayers, onnxEmbeddings, onnxPreNormLayer } from '../onnx/onnx-layers.js';
import { normWeights } from '../weight-spec.js';
import type { Family } from './family.js';

/** The norm after the last layer. */
const finalNorm = 'encoder.ln';

function layerNames(layer: number): LayerNames {
  const prefix = `encoder.layer.${layer}`;
  return { ...bertLayerNames(prefix), attentionNorm: `${prefix}.attention.ln`, outputNorm: `${prefix}.ln` };
}

/** Pre-norm BERT, whose embeddings have no norm: transformers/models/megatron_bert/modeling_megatron_bert.py */
export const megatronBert: Family<TransformerConfig> = {
  modelTypes: {
    'megatron-bert': {
      ...bertDefaults,
      vocab_size: 29056,
      hidden_size: 1024,
      num_hidden_layers: 24,
      num_attention_heads: 16,
      intermediate_size: 4096,
    },
  },

  parse: parseTransformer,

  weights: (config) => [
    ...embeddingTables(config, { width: config.hiddenSize }),
    ...weightsOfLayers(config, layerNames),
    ...normWeights(finalNorm, config.hiddenSize),
    ...poolerWeights(config),
  ],

  encode(config, trace) {
    const x = trace.dropout(embeddingSite, config.embeddingDropout, embedFromZero(trace, config));
    return encodeLayers(
      trace,
      config.numLayers,
      x,
      (hidden, tokens) => preNormLayer(trace, config, layerNames(tokens.layer), hidden, tokens),
      (last) => trace.norm(finalNorm, last, config.layerNormEps),
    );
  },

  classifierClasses: () => [tanhBeforeLogits('MegatronBertForSequenceClassification')],

  onnx: {
    encode(config, trace) {
      const last = encodeOnnxLayers(config.numLayers, onnxEmbeddings(trace, config), (hidden, tokens) =>
        onnxPreNormLayer(trace, config, layerNames(tokens.layer), hidden, tokens),
      );
      return trace.norm(finalNorm, last, config.layerNormEps);
    },
  },
};
