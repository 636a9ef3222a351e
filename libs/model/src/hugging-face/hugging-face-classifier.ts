import type { JsonObject } from '@nautil/contracts';
import { type EncoderConfig, hasSegments } from '../encoder-config.js';
import { NoTransformersClass } from '../errors.js';
import { familyOf } from '../families/index.js';
import { headWeights } from '../weights.js';
import type { ClassifierClass, HuggingFaceWeight, UnfitClass } from './classifier-class.js';

/** A classifier in the form that transformers loads. */
export interface HuggingFaceClassifier {
  /** The content of config.json, without the names of labels. */
  readonly config: JsonObject;

  /** Whether the class reads `token_type_ids`. */
  readonly hasTypes: boolean;

  readonly weights: readonly HuggingFaceWeight[];
}

interface Head {
  readonly numClasses: number;
  readonly numOutputLayers: number;
}

/**
 * Expresses an encoder with NeMo's head as one of transformers' classes for classification, which gives the same logits up to the
 * rounding of float32.
 *
 * @param o.pairs - whether the model classifies pairs of texts
 * @throws NoTransformersClass with the reason for each class of the family
 */
export function huggingFaceClassifier(o: {
  encoder: EncoderConfig;
  head: Head;
  pairs: boolean;
  /** The encoder's config.json. */
  config: JsonObject;
  /** The model's file, for messages. */
  source: string;
}): HuggingFaceClassifier {
  const { encoder, head, pairs } = o;
  const reasons: string[] = [];
  for (const one of familyOf(encoder).classifierClasses(encoder)) {
    const reason = isUnfit(one) ? one.reason : reasonAgainst(one, { encoder, head, pairs });
    if (isUnfit(one) || reason !== undefined) {
      reasons.push(`${one.name} ${reason}`);
      continue;
    }
    return {
      config: { ...one.config(o.config), architectures: [one.name] },
      hasTypes: one.readsPairs && encoder.typeVocabSize > 0,
      weights: [...one.weights, ...headWeightsOf(one, encoder.hiddenSize, head)],
    };
  }
  throw new NoTransformersClass(`${o.source}: no class of transformers computes this model: ${reasons.join('; ')}`, {
    hint: '--format onnx exports the whole model, --format safetensors its weights, and --format nemo its archive',
  });
}

const isUnfit = (one: ClassifierClass | UnfitClass): one is UnfitClass => 'reason' in one;

/** Why the class does not compute NeMo's head of that size, as the predicate of a sentence; undefined if it does. */
function reasonAgainst(
  { activation, readsPairs }: ClassifierClass,
  { encoder, head: { numClasses, numOutputLayers }, pairs }: { encoder: EncoderConfig; head: Head; pairs: boolean },
): string | undefined {
  const { hiddenSize } = encoder;
  if (pairs && !readsPairs && hasSegments(encoder))
    return 'has no segments, by which the encoder tells the texts of a pair apart';
  if (numOutputLayers > 2) return `has two layers after the encoder, and this head has ${numOutputLayers}`;
  if (numOutputLayers === 2 && activation !== 'relu')
    return 'has a GELU between its two layers, and NeMo’s head a ReLU';
  if (numOutputLayers === 1 && 2 * numClasses > hiddenSize)
    return `computes a head of one layer with two of its ${hiddenSize} hidden numbers for each class, and this one has ${numClasses} classes`;
  return undefined;
}

/** NeMo's head as the two layers of the class, [H, H] and [C, H]. */
function headWeightsOf(
  { layers }: ClassifierClass,
  hiddenSize: number,
  { numClasses, numOutputLayers }: Head,
): HuggingFaceWeight[] {
  const own = headWeights({ hiddenSize, numClasses, numOutputLayers });
  const values: HuggingFaceWeight['read'][] = own.map(({ name, shape: [, width = 1] }) => async (read) => {
    const value = await read(name);
    return numOutputLayers === 2 ? value : mirrored(value, hiddenSize * width);
  });
  if (numOutputLayers === 1) {
    values.push(() => Promise.resolve(differences(numClasses, hiddenSize)));
    values.push(() => Promise.resolve(new Float32Array(numClasses)));
  }
  const shapes = [[hiddenSize, hiddenSize], [hiddenSize], [numClasses, hiddenSize], [numClasses]];
  const names = layers.flatMap((name) => [`${name}.weight`, `${name}.bias`]);
  return names.map((name, index) => ({ name, shape: shapes[index]!, read: values[index]! }));
}

// A head of one layer, z, in a class with two and the activation f between them: relu(z) - relu(-z) = z, and so for GELU, because
// gelu(z) = z·Φ(z) and Φ(z) + Φ(-z) = 1. The first layer computes z and -z, the second one the differences.

/** A matrix or vector, then the same with the other sign, then zeros. */
function mirrored(values: Float32Array, length: number): Float32Array {
  const whole = new Float32Array(length);
  whole.set(values);
  whole.set(
    values.map((value) => -value),
    values.length,
  );
  return whole;
}

/** The matrix that subtracts number C + c of H from number c: [C, H]. */
function differences(numClasses: number, hiddenSize: number): Float32Array {
  const matrix = new Float32Array(numClasses * hiddenSize);
  for (let index = 0; index < numClasses; index++) {
    matrix[index * hiddenSize + index] = 1;
    matrix[index * hiddenSize + numClasses + index] = -1;
  }
  return matrix;
}
