import type { EncoderLayout } from '@nautil/formats/encoder';
import type { EncoderConfig } from './encoder-config.js';
import { familyOf } from './families/index.js';
import { parseEncoderConfig } from './parse-encoder-config.js';
import { linearWeights, type WeightSpec } from './weight-spec.js';

/** Every weight of an encoder under Hugging Face's names, in the order of the computation: the word embeddings first. */
export const encoderWeights = (config: EncoderConfig): WeightSpec[] => familyOf(config).weights(config);

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
    return linearWeights(headLayerName(index), {
      outputs: last ? o.numClasses : o.hiddenSize,
      inputs: o.hiddenSize,
      std: 0.02,
    });
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

/** The encoder weights that a config.json calls for, as `openEncoder` expects. Throws UnsupportedEncoder. */
export const encoderLayout: EncoderLayout = (config, source) => {
  const encoder = parseEncoderConfig(config, source);
  const tensors = encoderWeights(encoder);
  return { tensors, wordEmbeddings: tensors[0]!.name, hiddenSize: encoder.hiddenSize };
};
