import type { JsonObject } from '@nautil/contracts';
import type { TensorSource } from '../tensor-source.js';

/** A tensor that an encoder has, under Hugging Face's name without prefix. */
export interface LayoutTensor {
  readonly name: string;

  /** Matrices are [out, in]. */
  readonly shape: readonly number[];

  /** False for one that nothing is computed with, such as the pooler: a file may lack it. */
  readonly used: boolean;
}

/**
 * The tensors that a config.json calls for. It belongs to who computes with them, and refuses what it can't compute;
 * `source` is what messages call the configuration.
 */
export type EncoderLayout = (config: JsonObject, source: string) => readonly LayoutTensor[];

/** An encoder open for reading, whatever it came from. */
export interface Encoder {
  /** Hugging Face's config.json: the one given or found; derived for Megatron-LM's and for bare files. */
  readonly config: JsonObject;

  /** Every weight of the layout and of its shape, in its order; unused ones where the file has them. */
  readonly tensors: TensorSource;

  /** Names in the file of tensors that the encoder doesn't have, such as the heads of pretraining. */
  readonly dropped: readonly string[];

  /** Sentences for the log: what was renamed, derived or guessed. */
  readonly notes: readonly string[];

  close(): Promise<void>;
}
