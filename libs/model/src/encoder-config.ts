import { activationNames } from './activation.js';
import { InputTooLong, UnsupportedEncoder } from './errors.js';

/** The computation of an encoder. Several of Hugging Face's model types share one. */
export type EncoderFamily = 'bert' | 'roberta' | 'distilbert' | 'megatron-bert';

/** The part of a Hugging Face config.json that determines an encoder's numbers. */
export interface EncoderConfig {
  readonly family: EncoderFamily;
  /** Hugging Face's `model_type`, for example `xlm-roberta` of the family `roberta`. */
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  /** Hugging Face's name of the feed-forward's activation. */
  readonly activation: string;
  readonly maxPositions: number;
  /** 0 when the encoder has no segments. */
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  /** Dropout rate of the embeddings and of the output of each half of a layer. */
  readonly hiddenDropout: number;
  /** Dropout rate of the attention probabilities. */
  readonly attentionDropout: number;
  readonly padTokenId: number;
  /** Standard deviation of new weights. */
  readonly initializerRange: number;
}

/** The longest input, in tokens, that the encoder has positions for. */
export function maxLength(config: EncoderConfig): number {
  return config.family === 'roberta' ? config.maxPositions - config.padTokenId - 1 : config.maxPositions;
}

/** @throws InputTooLong for rows that are longer than the encoder's positions */
export function requireAllPositions(config: EncoderConfig, length: number): void {
  const most = maxLength(config);
  if (length <= most) return;
  throw new InputTooLong(`rows of ${length} tokens: this ${config.modelType} has positions for ${most}`, {
    hint: `set model.dataset.max_seq_length to at most ${most}`,
  });
}

interface ModelType {
  family: EncoderFamily;
  /** transformers' defaults for keys that a config.json leaves out. */
  defaults: Readonly<Record<string, unknown>>;
}

const bert = {
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  initializer_range: 0.02,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
};
const roberta = { ...bert, pad_token_id: 1 };

const modelTypes: Readonly<Record<string, ModelType>> = {
  bert: { family: 'bert', defaults: bert },
  roberta: { family: 'roberta', defaults: { ...roberta, vocab_size: 50265 } },
  camembert: { family: 'roberta', defaults: roberta },
  'xlm-roberta': { family: 'roberta', defaults: roberta },
  distilbert: { family: 'distilbert', defaults: { ...bert, num_hidden_layers: 6, type_vocab_size: 0 } },
  'megatron-bert': {
    family: 'megatron-bert',
    defaults: {
      ...bert,
      vocab_size: 29056,
      hidden_size: 1024,
      num_hidden_layers: 24,
      num_attention_heads: 16,
      intermediate_size: 4096,
    },
  },
};

/** DistilBERT's names of the keys. */
const distilbertKeys: Readonly<Record<string, string>> = {
  hidden_size: 'dim',
  num_hidden_layers: 'n_layers',
  num_attention_heads: 'n_heads',
  intermediate_size: 'hidden_dim',
  hidden_act: 'activation',
  hidden_dropout_prob: 'dropout',
  attention_probs_dropout_prob: 'attention_dropout',
};

/** Well above every published encoder. The weights are listed before any is read, so a size must not be taken on trust. */
const largestCounts = {
  vocab_size: 1 << 24,
  hidden_size: 1 << 16,
  num_hidden_layers: 1000,
  num_attention_heads: 1 << 12,
  intermediate_size: 1 << 18,
  max_position_embeddings: 1 << 20,
  type_vocab_size: 1 << 12,
  pad_token_id: 1 << 24,
};

const hint = `supported model types: ${Object.keys(modelTypes).join(', ')}`;

/**
 * Reads a Hugging Face config.json. Missing keys get transformers' defaults. Throws `UnsupportedEncoder` for other
 * architectures, and for settings under which `encode` would compute other numbers than transformers.
 *
 * @param json - the parsed file. Google's bert_config.json, which has no `model_type`, is read as BERT's.
 * @param source - the file's name, for error messages.
 */
export function parseEncoderConfig(json: unknown, source: string): EncoderConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new UnsupportedEncoder(`${source}: an encoder's configuration is a JSON object`);
  }
  const given = json as Readonly<Record<string, unknown>>;
  const modelType = given['model_type'] ?? ('hidden_size' in given ? 'bert' : undefined);
  const known =
    typeof modelType === 'string' && Object.hasOwn(modelTypes, modelType) ? modelTypes[modelType] : undefined;
  if (!known) {
    const what =
      modelType === undefined
        ? 'there is no model_type'
        : `the model type ${JSON.stringify(modelType)} is not supported`;
    throw new UnsupportedEncoder(`${source}: ${what}`, { hint });
  }
  const { family, defaults } = known;
  rejectUnusual(given, source);

  const keyOf = (key: string) => (family === 'distilbert' ? (distilbertKeys[key] ?? key) : key);
  const valueAt = (key: string) => given[keyOf(key)] ?? defaults[key];
  const refuse = (key: string, wanted: string): never => {
    throw new UnsupportedEncoder(`${source}: ${keyOf(key)} is ${JSON.stringify(valueAt(key))} and must be ${wanted}`);
  };
  const number = (key: string, wanted: string, valid: (value: number) => boolean): number => {
    const value = valueAt(key);
    return typeof value === 'number' && valid(value) ? value : refuse(key, wanted);
  };
  const count = (key: keyof typeof largestCounts, least = 1) => {
    const most = largestCounts[key];
    const valid = (value: number) => Number.isInteger(value) && value >= least && value <= most;
    return number(key, `an integer from ${least} to ${most}`, valid);
  };
  const rate = (key: string) => number(key, 'from 0 to below 1', (value) => value >= 0 && value < 1);
  const positive = (key: string) => number(key, 'above 0', (value) => value > 0);

  const hiddenSize = count('hidden_size');
  const numHeads = count('num_attention_heads');
  if (hiddenSize % numHeads !== 0) refuse('hidden_size', `a multiple of ${keyOf('num_attention_heads')} (${numHeads})`);
  const activation = valueAt('hidden_act');
  if (typeof activation !== 'string' || !activationNames.includes(activation)) {
    refuse('hidden_act', `one of ${activationNames.join(', ')}`);
  }
  const config: EncoderConfig = {
    family,
    modelType: modelType as string,
    vocabSize: count('vocab_size'),
    hiddenSize,
    numLayers: count('num_hidden_layers'),
    numHeads,
    intermediateSize: count('intermediate_size'),
    activation: activation as string,
    maxPositions: count('max_position_embeddings'),
    typeVocabSize: family === 'distilbert' ? 0 : count('type_vocab_size'),
    // transformers ignores DistilBERT's configured epsilon and uses this one.
    layerNormEps: family === 'distilbert' ? 1e-12 : positive('layer_norm_eps'),
    hiddenDropout: rate('hidden_dropout_prob'),
    attentionDropout: rate('attention_probs_dropout_prob'),
    padTokenId: count('pad_token_id', 0),
    initializerRange: positive('initializer_range'),
  };
  if (maxLength(config) < 1) refuse('max_position_embeddings', `above pad_token_id + 1 (${config.padTokenId + 1})`);
  return config;
}

/** Rejects settings under which transformers computes something else than `encode`. */
function rejectUnusual(given: Readonly<Record<string, unknown>>, source: string): void {
  const usual: Readonly<Record<string, unknown>> = {
    position_embedding_type: 'absolute',
    is_decoder: false,
    add_cross_attention: false,
    is_encoder_decoder: false,
  };
  for (const [key, value] of Object.entries(usual)) {
    const found = given[key] ?? value;
    if (found !== value) {
      throw new UnsupportedEncoder(
        `${source}: ${key} ${JSON.stringify(found)} is not supported, only ${JSON.stringify(value)}`,
        { hint },
      );
    }
  }
  const pruned = given['pruned_heads'];
  if (typeof pruned === 'object' && pruned !== null && Object.keys(pruned).length > 0) {
    throw new UnsupportedEncoder(`${source}: pruned_heads are not supported`, { hint });
  }
}
