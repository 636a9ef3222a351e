import type { JsonObject } from '@nautil/contracts';
import type { TensorSource } from '../tensor-source.js';

/** A tensor of an encoder, under Hugging Face's name without a prefix. */
export interface LayoutTensor {
  readonly name: string;

  /** Matrices are [out, in]. */
  readonly shape: readonly number[];

  /** False for a tensor that no computation uses, such as the pooler's. A file may lack it. */
  readonly used: boolean;
}

/** What a config.json calls for. */
export interface EncoderTensors {
  readonly tensors: readonly LayoutTensor[];

  /** Name of the table of word embeddings, [V, E]. Every family has one, so what stands before it in a file is the file's prefix. */
  readonly wordEmbeddings: string;

  /** Size of the first token's hidden state, which the classifier reads. */
  readonly hiddenSize: number;
}

/**
 * The tensors that a config.json calls for. @nautil/model provides it (`encoderLayout`), because it knows which architectures
 * it can compute; it throws for all others. `source` names the configuration in error messages.
 */
export type EncoderLayout = (config: JsonObject, source: string) => EncoderTensors;

/** An open encoder, whatever its file format. */
export interface Encoder {
  /** Hugging Face's config.json: given, found, or inferred (for Megatron-LM checkpoints and files without a configuration). */
  readonly config: JsonObject;

  /** Every weight of the layout in the layout's order and shape. Unused weights are present if the file has them. */
  readonly tensors: TensorSource;

  /** Names of tensors in the file that are not part of the encoder, such as the heads used for pretraining. */
  readonly dropped: readonly string[];

  /** Sentences for the log: what was renamed, inferred or assumed. */
  readonly notes: readonly string[];

  close(): Promise<void>;
}
