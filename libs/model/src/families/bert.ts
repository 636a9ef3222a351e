import { tanhBeforeLogits } from '../hugging-face/classifier-class.js';
import { embeddingWeights, embedFromZero } from '../layers/embeddings.js';
import {
  bertDefaults,
  bertLayerNames,
  finishEmbeddings,
  parseTransformer,
  poolerWeights,
  postNormLayers,
  type TransformerConfig,
  weightsOfLayers,
} from '../layers/transformer.js';
import { onnxNormedEmbeddings, onnxPostNormLayers } from '../onnx/onnx-layers.js';
import { asDistilBert } from './distilbert.js';
import type { Family } from './family.js';

const layerNames = (layer: number) => bertLayerNames(`encoder.layer.${layer}`);

/** transformers/models/bert/modeling_bert.py */
export const bert: Family<TransformerConfig> = {
  modelTypes: { bert: bertDefaults },

  parse: parseTransformer,

  weights: (config) => [
    ...embeddingWeights(config, { width: config.hiddenSize }),
    ...weightsOfLayers(config, layerNames),
    ...poolerWeights(config),
  ],

  encode: (config, trace) =>
    postNormLayers(trace, config, layerNames, finishEmbeddings(trace, config, embedFromZero(trace, config))),

  classifierClasses: (config) => [asDistilBert(config, layerNames), tanhBeforeLogits('BertForSequenceClassification')],

  onnx: {
    encode: (config, trace) => onnxPostNormLayers(trace, config, layerNames, onnxNormedEmbeddings(trace, config)),
  },
};
