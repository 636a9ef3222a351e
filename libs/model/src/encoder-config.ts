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

/** Whether the encoder distinguishes the first text of a pair from the second. Others know them by the tokens between them. */
export const hasSegments = ({ typeVocabSize }: Pick<EncoderConfig, 'typeVocabSize'>): boolean => typeVocabSize > 1;

/** The segments of a batch's tokens as far as the encoder reads them; undefined for single texts and encoders without segments. */
export const segmentsOf = (encoder: EncoderConfig, types: Int32Array | undefined): Int32Array | undefined =>
  hasSegments(encoder) ? types : undefined;
