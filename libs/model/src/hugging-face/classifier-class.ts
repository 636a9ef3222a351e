import type { JsonObject } from '@nautil/contracts';
import type { WeightSpec } from '../weight-spec.js';

/** Reads a weight by its name without NeMo's prefix, in torch's layout. */
type ReadWeight = (name: string) => Promise<Float32Array>;

/** A weight of a class of transformers, computed from the model's own. */
export interface HuggingFaceWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly read: (read: ReadWeight) => Promise<Float32Array>;
}

/** A class of transformers that computes an encoder of ours. NeMo's head has to fit between it and the logits. */
export interface ClassifierClass {
  /** Its name: `ElectraForSequenceClassification`. */
  readonly name: string;

  /** The activation between the two linear layers of its head, which read the first token. */
  readonly activation: 'relu' | 'gelu';

  /** The names of these layers, without `.weight` and `.bias`. */
  readonly layers: readonly [dense: string, output: string];

  /** Whether it distinguishes the texts of a pair as far as the encoder does. */
  readonly readsPairs: boolean;

  /** Its config.json, without the labels. @param given - the encoder's own */
  readonly config: (given: JsonObject) => JsonObject;

  /** The encoder's weights. */
  readonly weights: readonly HuggingFaceWeight[];
}

/** A class of transformers that cannot compute the encoder with NeMo's head. */
export interface UnfitClass {
  readonly name: string;

  /** Why, as the predicate of a sentence about the class. */
  readonly reason: string;
}

/** A class whose head is BERT's, which reads the pooler, or RoBERTa's. */
export const tanhBeforeLogits = (name: string): UnfitClass => ({
  name,
  reason: 'applies a tanh before its last layer, and NeMo’s head does not',
});

/** The weights of an encoder under the names of its own class, including those that nothing computes with. */
export const prefixed = (prefix: string, specs: readonly WeightSpec[]): HuggingFaceWeight[] =>
  specs.map(({ name, shape }) => ({ name: `${prefix}.${name}`, shape, read: (read) => read(name) }));
