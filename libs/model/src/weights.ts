import type { EncoderLayout } from '@nautil/formats/encoder';
import { type EncoderConfig, type EncoderFamily, parseEncoderConfig } from './encoder-config.js';

/** One weight of a model: its name in Hugging Face's or NeMo's files, and its shape in torch's layout, [out, in]. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** False for a weight that is only passed on from file to file because nothing computes with it (the pooler). */
  readonly used: boolean;
  /** Initial value of a new weight; `normal` is N(0, std). */
  readonly init: 'normal' | 'zeros' | 'ones';
  readonly std: number;
  /** Index of a row that starts as zeros: the padding token's. */
  readonly zeroRow?: number;
}

/** Names of the parts of a layer, without `.weight` and `.bias`. */
export interface LayerNames {
  query: string;
  key: string;
  value: string;
  /** The projection from the heads back to the hidden size. */
  attentionOutput: string;
  /** The norm after the attention; in Megatron-BERT, before it. */
  attentionNorm: string;
  /** The two halves of the feed-forward. */
  up: string;
  down: string;
  /** The norm after the feed-forward; in Megatron-BERT, before it. */
  outputNorm: string;
}

const bertLayer: LayerNames = {
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  attentionOutput: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  up: 'intermediate.dense',
  down: 'output.dense',
  outputNorm: 'output.LayerNorm',
};

const layers: Readonly<Record<EncoderFamily, { prefix: string; names: LayerNames }>> = {
  bert: { prefix: 'encoder.layer', names: bertLayer },
  roberta: { prefix: 'encoder.layer', names: bertLayer },
  'megatron-bert': {
    prefix: 'encoder.layer',
    names: { ...bertLayer, attentionNorm: 'attention.ln', outputNorm: 'ln' },
  },
  distilbert: {
    prefix: 'transformer.layer',
    names: {
      query: 'attention.q_lin',
      key: 'attention.k_lin',
      value: 'attention.v_lin',
      attentionOutput: 'attention.out_lin',
      attentionNorm: 'sa_layer_norm',
      up: 'ffn.lin1',
      down: 'ffn.lin2',
      outputNorm: 'output_layer_norm',
    },
  },
};

/** The full names of the parts of layer `index`, from 0. */
export function layerNames(family: EncoderFamily, index: number): LayerNames {
  const { prefix, names } = layers[family];
  return Object.fromEntries(
    Object.entries(names).map(([part, name]) => [part, `${prefix}.${index}.${name}`]),
  ) as unknown as LayerNames;
}

export const embeddingNames = {
  words: 'embeddings.word_embeddings.weight',
  positions: 'embeddings.position_embeddings.weight',
  types: 'embeddings.token_type_embeddings.weight',
  norm: 'embeddings.LayerNorm',
};

/** Megatron-BERT's norm after the last layer. */
export const finalNorm = 'encoder.ln';
export const poolerName = 'pooler.dense';

/** Every weight of an encoder under Hugging Face's names, in the order of the computation. */
export function encoderWeights(config: EncoderConfig): WeightSpec[] {
  const { family, hiddenSize, intermediateSize, initializerRange: std, padTokenId } = config;
  const table = (name: string, rows: number, zeroRow?: number): WeightSpec => ({
    name,
    shape: [rows, hiddenSize],
    used: true,
    init: 'normal',
    std,
    ...(zeroRow !== undefined && zeroRow < rows ? { zeroRow } : {}),
  });
  const linear = (name: string, outputs: number, inputs: number) => linearWeights(name, outputs, inputs, std);
  const norm = (name: string): WeightSpec[] => [
    { name: `${name}.weight`, shape: [hiddenSize], used: true, init: 'ones', std: 0 },
    { name: `${name}.bias`, shape: [hiddenSize], used: true, init: 'zeros', std: 0 },
  ];
  const layer = (index: number): WeightSpec[] => {
    const names = layerNames(family, index);
    return [
      ...linear(names.query, hiddenSize, hiddenSize),
      ...linear(names.key, hiddenSize, hiddenSize),
      ...linear(names.value, hiddenSize, hiddenSize),
      ...linear(names.attentionOutput, hiddenSize, hiddenSize),
      ...norm(names.attentionNorm),
      ...linear(names.up, intermediateSize, hiddenSize),
      ...linear(names.down, hiddenSize, intermediateSize),
      ...norm(names.outputNorm),
    ];
  };
  return [
    table(embeddingNames.words, config.vocabSize, padTokenId),
    // RoBERTa's positions start after the padding token's id.
    table(embeddingNames.positions, config.maxPositions, family === 'roberta' ? padTokenId : undefined),
    ...(config.typeVocabSize > 0 ? [table(embeddingNames.types, config.typeVocabSize)] : []),
    ...(family === 'megatron-bert' ? [] : norm(embeddingNames.norm)),
    ...Array.from({ length: config.numLayers }, (_, index) => layer(index)).flat(),
    ...(family === 'megatron-bert' ? norm(finalNorm) : []),
    ...(family === 'distilbert'
      ? []
      : linear(poolerName, hiddenSize, hiddenSize).map((spec) => ({ ...spec, used: false }))),
  ];
}

/** The prefix that NeMo gives to the names of the encoder's weights. */
export const encoderPrefix = 'bert_model.';

/** A weight's name without the prefix, if it has one. */
export const withoutEncoderPrefix = (name: string): string =>
  name.startsWith(encoderPrefix) ? name.slice(encoderPrefix.length) : name;

/** NeMo's name of the head's linear layer `index`, from 0. NeMo gives the odd numbers to the activations between them. */
export const headLayerName = (index: number): string => `classifier.mlp.layer${2 * index}`;

/** The weights of the classifier's head, under NeMo's names. */
export function headWeights(o: { hiddenSize: number; numClasses: number; numOutputLayers: number }): WeightSpec[] {
  return Array.from({ length: o.numOutputLayers }, (_, index) => {
    const last = index === o.numOutputLayers - 1;
    return linearWeights(headLayerName(index), last ? o.numClasses : o.hiddenSize, o.hiddenSize, 0.02);
  }).flat();
}

/** All weights of a classifier under NeMo's names, the encoder's first. */
export function classifierWeights(o: {
  encoder: EncoderConfig;
  numClasses: number;
  numOutputLayers: number;
}): WeightSpec[] {
  return [
    ...encoderWeights(o.encoder).map((spec) => ({ ...spec, name: encoderPrefix + spec.name })),
    ...headWeights({ ...o, hiddenSize: o.encoder.hiddenSize }),
  ];
}

function linearWeights(name: string, outputs: number, inputs: number, std: number): WeightSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], used: true, init: 'normal', std },
    { name: `${name}.bias`, shape: [outputs], used: true, init: 'zeros', std: 0 },
  ];
}

/** The encoder weights that a config.json calls for, as `openEncoder` expects. Throws UnsupportedEncoder. */
export const encoderLayout: EncoderLayout = (config, source) => encoderWeights(parseEncoderConfig(config, source));
