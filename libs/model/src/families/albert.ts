import { largestSizes } from '../config-keys.js';
import { tanhBeforeLogits } from '../hugging-face/classifier-class.js';
import { embeddingWeights, embedFromZero } from '../layers/embeddings.js';
import {
  bertDefaults,
  finishEmbeddings,
  type LayerNames,
  layerWeights,
  parseTransformer,
  postNormLayers,
  type TransformerConfig,
} from '../layers/transformer.js';
import { onnxNormedEmbeddings, onnxPostNormLayers } from '../onnx/onnx-layers.js';
import { linearWeights, unused } from '../weight-spec.js';
import type { Family } from './family.js';

/** `numLayers` is the number of layers that are computed: each repetition computes all inner layers of its group. */
interface AlbertConfig extends TransformerConfig {
  readonly embeddingSize: number;
  /** `num_hidden_layers`: how many times a group is computed. */
  readonly repetitions: number;
  /** `num_hidden_groups`: layers of one group share their weights. */
  readonly groups: number;
  /** `inner_group_num`: layers of a group, each with its own weights. */
  readonly innerLayers: number;
}

/** The projection of the embeddings, which exists even if it does not change their size. */
const projection = 'encoder.embedding_hidden_mapping_in';

/** The layer that is computed as number `layer`, as its group and its place in the group. */
function sharedLayer(
  { repetitions, groups, innerLayers }: AlbertConfig,
  layer: number,
): { group: number; inner: number } {
  const repetition = Math.floor(layer / innerLayers);
  // The division is transformers': another order of the operations rounds to another group for some sizes.
  return { group: Math.trunc(repetition / (repetitions / groups)), inner: layer % innerLayers };
}

function namesOf({ group, inner }: { group: number; inner: number }): LayerNames {
  const prefix = `encoder.albert_layer_groups.${group}.albert_layers.${inner}`;
  return {
    attention: {
      query: `${prefix}.attention.query`,
      key: `${prefix}.attention.key`,
      value: `${prefix}.attention.value`,
      output: `${prefix}.attention.dense`,
    },
    attentionNorm: `${prefix}.attention.LayerNorm`,
    feedForward: { up: `${prefix}.ffn`, down: `${prefix}.ffn_output` },
    outputNorm: `${prefix}.full_layer_layer_norm`,
  };
}

const layerNames = (config: AlbertConfig) => (layer: number) => namesOf(sharedLayer(config, layer));

/** The weights of every group, of which a model with more groups than repetitions does not use the last ones. */
function groupWeights(config: AlbertConfig) {
  const used = new Set(Array.from({ length: config.numLayers }, (_, layer) => sharedLayer(config, layer).group));
  return Array.from({ length: config.groups * config.innerLayers }, (_, index) => {
    const group = Math.floor(index / config.innerLayers);
    const specs = layerWeights(config, namesOf({ group, inner: index % config.innerLayers }));
    return used.has(group) ? specs : unused(specs);
  }).flat();
}

/** BERT with projected embeddings and layers that share their weights: transformers/models/albert/modeling_albert.py */
export const albert: Family<AlbertConfig> = {
  modelTypes: {
    albert: {
      ...bertDefaults,
      vocab_size: 30000,
      embedding_size: 128,
      hidden_size: 4096,
      num_hidden_groups: 1,
      num_attention_heads: 64,
      intermediate_size: 16384,
      inner_group_num: 1,
      hidden_act: 'gelu_new',
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
    },
  },

  parse(keys) {
    // Options of Google's ALBERT that transformers does not compute either. Its converted files contain these values.
    keys.requireOnly('net_structure_type', 0);
    keys.requireOnly('gap_size', 0);
    keys.requireOnly('down_scale_factor', 1);
    keys.requireOnly('num_memory_blocks', 0);
    keys.requireOnly('layers_to_keep', []);
    const config = parseTransformer(keys);
    const most = largestSizes.layers;
    const innerLayers = keys.count('inner_group_num', { most: Math.floor(most / config.numLayers) });
    return {
      ...config,
      embeddingSize: keys.count('embedding_size', { most: largestSizes.hidden }),
      repetitions: config.numLayers,
      groups: keys.count('num_hidden_groups', { most: Math.floor(most / innerLayers) }),
      innerLayers,
      numLayers: config.numLayers * innerLayers,
      // AlbertLayer has a dropout that it does not apply.
      feedForwardDropout: 0,
    };
  },

  weights: (config) => {
    const { hiddenSize, embeddingSize, initializerRange: std } = config;
    return [
      ...embeddingWeights(config, { width: embeddingSize }),
      ...linearWeights(projection, { outputs: hiddenSize, inputs: embeddingSize, std }),
      ...groupWeights(config),
      ...unused(linearWeights('pooler', { outputs: hiddenSize, inputs: hiddenSize, std })),
    ];
  },

  encode(config, trace) {
    const embedded = finishEmbeddings(trace, config, embedFromZero(trace, config));
    return postNormLayers(trace, config, layerNames(config), trace.linear(projection, embedded));
  },

  classifierClasses: () => [tanhBeforeLogits('AlbertForSequenceClassification')],

  onnx: {
    encode: (config, trace) =>
      onnxPostNormLayers(
        trace,
        config,
        layerNames(config),
        trace.linear(projection, onnxNormedEmbeddings(trace, config)),
      ),
  },
};
