import { tanhBeforeLogits } from '../hugging-face/classifier-class.js';
import { embedAfterPadding, embeddingWeights } from '../layers/embeddings.js';
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
import type { Family } from './family.js';

const defaults = { ...bertDefaults, pad_token_id: 1 };

const layerNames = (layer: number) => bertLayerNames(`encoder.layer.${layer}`);

/** transformers' class for each model type. */
const classifierNames: Readonly<Record<string, string>> = {
  roberta: 'RobertaForSequenceClassification',
  camembert: 'CamembertForSequenceClassification',
  'xlm-roberta': 'XLMRobertaForSequenceClassification',
};

/** BERT whose positions start after the padding token's id: transformers/models/roberta/modeling_roberta.py */
export const roberta: Family<TransformerConfig> = {
  modelTypes: {
    roberta: { ...defaults, vocab_size: 50265 },
    camembert: defaults,
    'xlm-roberta': defaults,
  },

  parse(keys) {
    const config = parseTransformer(keys);
    const maxLength = config.maxPositions - config.padTokenId - 1;
    if (maxLength < 1) keys.refuse('max_position_embeddings', `above pad_token_id + 1 (${config.padTokenId + 1})`);
    return { ...config, maxLength };
  },

  weights: (config) => [
    ...embeddingWeights(config, { width: config.hiddenSize, paddedPositions: true }),
    ...weightsOfLayers(config, layerNames),
    ...poolerWeights(config),
  ],

  encode: (config, trace) =>
    postNormLayers(trace, config, layerNames, finishEmbeddings(trace, config, embedAfterPadding(trace, config))),

  classifierClasses: ({ modelType }) => [tanhBeforeLogits(classifierNames[modelType]!)],

  onnx: {
    encode: (config, trace) =>
      onnxPostNormLayers(
        trace,
        config,
        layerNames,
        onnxNormedEmbeddings(trace, config, trace.positionsAfter(config.padTokenId)),
      ),
  },
};
