import type { Tensor } from '@nautil/tensorflow';
import type { ConfigKeys, ConfigValues } from '../config-keys.js';
import type { EncoderConfig } from '../encoder-config.js';
import type { ClassifierClass, UnfitClass } from '../hugging-face/classifier-class.js';
import type { EncoderTrace } from '../layers/encoder-trace.js';
import type { OnnxTrace } from '../onnx/onnx-trace.js';
import type { WeightSpec } from '../weight-spec.js';

/** An encoder's computation, which one or several of Hugging Face's model types have: configuration → layers → weight names. */
export interface Family<C extends EncoderConfig = EncoderConfig> {
  /** The model types, each with transformers' defaults for keys that a config.json leaves out. */
  readonly modelTypes: Readonly<Record<string, ConfigValues>>;

  /** The standard names of transformers that a config.json may have in place of the family's own: `dim` → `hidden_size`. */
  readonly standardNames?: Readonly<Record<string, string>>;

  /** Reads every key that determines the encoder's numbers, and rejects what is not computed, by the key's name. */
  parse(keys: ConfigKeys): C;

  /** Every weight under Hugging Face's names without a prefix, in the order of the computation: the word embeddings first. */
  weights(config: C): WeightSpec[];

  /** The last hidden states: [B·T, H], or [B, H] with `firstTokenOnly`. */
  encode(config: C, trace: EncoderTrace): Tensor;

  /** The classes of transformers that may compute the encoder with NeMo's head, the preferred one first, and why the others cannot. */
  classifierClasses(config: C): readonly (ClassifierClass | UnfitClass)[];

  /** The same computation in ONNX. A family without one is computed by TensorFlow alone. */
  readonly onnx?: OnnxFamily<C>;
}

export interface OnnxFamily<C extends EncoderConfig = EncoderConfig> {
  /** The hidden states of the first tokens: [rows, H]. */
  encode(config: C, trace: OnnxTrace): string;
}
