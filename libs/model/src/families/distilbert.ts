import { largestSizes } from '../config-keys.js';
import type { ClassifierClass, UnfitClass } from '../hugging-face/classifier-class.js';
import { embeddingNames, embeddingWeights, embedFromZero, withFirstRow } from '../layers/embeddings.js';
import {
  finishEmbeddings,
  type LayerNames,
  postNormLayers,
  type TransformerConfig,
  weightsOfLayers,
} from '../layers/transformer.js';
import { onnxNormedEmbeddings, onnxPostNormLayers } from '../onnx/onnx-layers.js';
import type { Family } from './family.js';

function layerNames(layer: number): LayerNames {
  const prefix = `transformer.layer.${layer}`;
  return {
    attention: {
      query: `${prefix}.attention.q_lin`,
      key: `${prefix}.attention.k_lin`,
      value: `${prefix}.attention.v_lin`,
      output: `${prefix}.attention.out_lin`,
    },
    attentionNorm: `${prefix}.sa_layer_norm`,
    feedForward: { up: `${prefix}.ffn.lin1`, down: `${prefix}.ffn.lin2` },
    outputNorm: `${prefix}.output_layer_norm`,
  };
}

/** transformers ignores a configured epsilon and uses this one. */
const layerNormEps = 1e-12;

const className = 'DistilBertForSequenceClassification';

/**
 * An encoder with BERT's layers as transformers' classifier of DistilBERT. The segment that all tokens of a single text have is added
 * to the table of positions.
 *
 * @param namesOf - the encoder's own names of a layer's parts
 */
export function asDistilBert(
  config: TransformerConfig,
  namesOf: (layer: number) => LayerNames,
): ClassifierClass | UnfitClass {
  const { layerNormEps: epsilon, activation } = config;
  if (epsilon !== layerNormEps)
    return { name: className, reason: `has layer_norm_eps ${layerNormEps}, and the encoder ${epsilon}` };
  if (config.modelType !== 'distilbert' && activation !== 'gelu')
    return { name: className, reason: `is exported with the activation gelu, and the encoder has ${activation}` };
  const own = [...embeddingWeights(config, { width: config.hiddenSize }), ...weightsOfLayers(config, namesOf)];
  const theirs = distilbert.weights({ ...config, typeVocabSize: 0 });
  const types = `${embeddingNames.types}.weight`;
  const positions = `${embeddingNames.positions}.weight`;
  return {
    name: className,
    activation: 'relu',
    layers: ['pre_classifier', 'classifier'],
    readsPairs: false,
    config: () => ({
      model_type: 'distilbert',
      vocab_size: config.vocabSize,
      max_position_embeddings: config.maxPositions,
      sinusoidal_pos_embds: false,
      n_layers: config.numLayers,
      n_heads: config.numHeads,
      dim: config.hiddenSize,
      hidden_dim: config.intermediateSize,
      activation,
      dropout: config.feedForwardDropout,
      attention_dropout: config.attentionDropout,
      initializer_range: config.initializerRange,
      pad_token_id: config.padTokenId,
    }),
    // Both lists have the same order.
    weights: own
      .filter(({ name }) => name !== types)
      .map(({ name, shape }, index) => ({
        name: `distilbert.${theirs[index]!.name}`,
        shape,
        read: async (read) =>
          name === positions && config.typeVocabSize > 0
            ? withFirstRow(await read(name), await read(types), config.hiddenSize)
            : read(name),
      })),
  };
}

/** BERT without segments and pooler: transformers/models/distilbert/modeling_distilbert.py */
export const distilbert: Family<TransformerConfig> = {
  modelTypes: {
    distilbert: {
      vocab_size: 30522,
      dim: 768,
      n_layers: 6,
      n_heads: 12,
      hidden_dim: 3072,
      activation: 'gelu',
      dropout: 0.1,
      attention_dropout: 0.1,
      max_position_embeddings: 512,
      initializer_range: 0.02,
      pad_token_id: 0,
    },
  },

  standardNames: { dim: 'hidden_size', n_heads: 'num_attention_heads', n_layers: 'num_hidden_layers' },

  parse(keys) {
    keys.requireUsual();
    keys.requireOnly('position_embedding_type', 'absolute');
    // Its table of positions would not be trained.
    keys.requireOnly('sinusoidal_pos_embds', false);
    const dropout = keys.rate('dropout');
    const vocabSize = keys.count('vocab_size', { most: largestSizes.vocabulary });
    const maxPositions = keys.count('max_position_embeddings', { most: largestSizes.positions });
    return {
      modelType: keys.modelType,
      ...keys.hiddenSizeAndHeads('dim', 'n_heads'),
      activation: keys.activation('activation'),
      vocabSize,
      numLayers: keys.count('n_layers', { most: largestSizes.layers }),
      intermediateSize: keys.count('hidden_dim', { most: largestSizes.intermediate }),
      maxPositions,
      maxLength: maxPositions,
      typeVocabSize: 0,
      layerNormEps,
      embeddingDropout: dropout,
      attentionDropout: keys.rate('attention_dropout'),
      attentionOutputDropout: 0,
      feedForwardDropout: dropout,
      padTokenId: keys.paddingId(vocabSize),
      initializerRange: keys.positive('initializer_range'),
    };
  },

  weights: (config) => [
    ...embeddingWeights(config, { width: config.hiddenSize }),
    ...weightsOfLayers(config, layerNames),
  ],

  encode: (config, trace) =>
    postNormLayers(trace, config, layerNames, finishEmbeddings(trace, config, embedFromZero(trace, config))),

  classifierClasses: (config) => [asDistilBert(config, layerNames)],

  onnx: {
    encode: (config, trace) => onnxPostNormLayers(trace, config, layerNames, onnxNormedEmbeddings(trace, config)),
  },
};
