import { InputTooLong } from './errors.js';

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
