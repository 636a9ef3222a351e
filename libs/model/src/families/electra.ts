import { type ConfigKeys, largestSizes } from '../config-keys.js';
import { prefixed } from '../hugging-face/classifier-class.js';
import { embeddingWeights, embedFromZero } from '../layers/embeddings.js';
import {
  bertDefaults,
  bertLayerNames,
  finishEmbeddings,
  parseTransformer,
  postNormLayers,
  type TransformerConfig,
  weightsOfLayers,
} from '../layers/transformer.js';
import { onnxNormedEmbeddings, onnxPostNormLayers } from '../onnx/onnx-layers.js';
import { linearWeights } from '../weight-spec.js';
import { asDistilBert } from './distilbert.js';
import type { Family } from './family.js';

interface ElectraConfig extends TransformerConfig {
  readonly embeddingSize: number;
}

const projection = 'embeddings_project';

/** The embeddings have another size than the layers, and are projected. */
const isProjected = ({ embeddingSize, hiddenSize }: ElectraConfig): boolean => embeddingSize !== hiddenSize;

const layerNames = (layer: number) => bertLayerNames(`encoder.layer.${layer}`);

/** BERT with projected embeddings and without a pooler: transformers/models/electra/modeling_electra.py */
export const electra: Family<ElectraConfig> = {
  modelTypes: {
    electra: {
      ...bertDefaults,
      embedding_size: 128,
      hidden_size: 256,
      num_attention_heads: 4,
      intermediate_size: 1024,
    },
  },

  parse: (keys: ConfigKeys) => ({
    ...parseTransformer(keys),
    embeddingSize: keys.count('embedding_size', { most: largestSizes.hidden }),
  }),

  weights: (config) => [
    ...embeddingWeights(config, { width: config.embeddingSize }),
    ...(isProjected(config)
      ? linearWeights(projection, {
          outputs: config.hiddenSize,
          inputs: config.embeddingSize,
          std: config.initializerRange,
        })
      : []),
    ...weightsOfLayers(config, layerNames),
  ],

  encode(config, trace) {
    const embedded = finishEmbeddings(trace, config, embedFromZero(trace, config));
    const x = isProjected(config) ? trace.linear(projection, embedded) : embedded;
    return postNormLayers(trace, config, layerNames, x);
  },

  classifierClasses: (config) => [
    ...(isProjected(config) ? [] : [asDistilBert(config, layerNames)]),
    {
      name: 'ElectraForSequenceClassification',
      activation: 'gelu',
      layers: ['classifier.dense', 'classifier.out_proj'],
      readsPairs: true,
      config: (given) => given,
      weights: prefixed('electra', electra.weights(config)),
    },
  ],

  onnx: {
    encode(config, trace) {
      const embedded = onnxNormedEmbeddings(trace, config);
      const x = isProjected(config) ? trace.linear(projection, embedded) : embedded;
      return onnxPostNormLayers(trace, config, layerNames, x);
    },
  },
};
