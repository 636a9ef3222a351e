import { ConfigKeys } from './config-keys.js';
import { InputTooLong, UnsupportedEncoder } from './errors.js';
import { modelTypes } from './families/index.js';
import { whyUnsupported } from './unsupported-type.js';

/** What the encoders of all families have, from Hugging Face's config.json. A family adds its own settings. */
export interface EncoderConfig {
  /** Hugging Face's `model_type`, which determines the family: `xlm-roberta` is one of RoBERTa's. */
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** The longest input, in tokens, that the encoder has positions for. */
  readonly maxLength: number;
  /** 0 when the encoder has no segments. */
  readonly typeVocabSize: number;
  readonly padTokenId: number;
  /** Standard deviation of new weights. */
  readonly initializerRange: number;
}

/** @throws InputTooLong for rows that are longer than the encoder's positions */
export function requireAllPositions({ modelType, maxLength }: EncoderConfig, length: number): void {
  if (length <= maxLength) return;
  throw new InputTooLong(`rows of ${length} tokens: this ${modelType} has positions for ${maxLength}`, {
    hint: `set model.dataset.max_seq_length to at most ${maxLength}`,
  });
}

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
  const known = typeof modelType === 'string' ? modelTypes.get(modelType) : undefined;
  const hint = `supported model types: ${[...modelTypes.keys()].join(', ')}`;
  if (known === undefined || typeof modelType !== 'string') {
    if (modelType === undefined) throw new UnsupportedEncoder(`${source}: there is no model_type`, { hint });
    const why = typeof modelType === 'string' ? whyUnsupported(modelType, given) : undefined;
    const message = `${source}: the model type ${JSON.stringify(modelType)} is not supported`;
    throw new UnsupportedEncoder(why === undefined ? message : `${message}: ${why}`, { hint });
  }
  const { family, defaults } = known;
  return family.parse(new ConfigKeys({ given, defaults, modelType, source, hint }));
}
