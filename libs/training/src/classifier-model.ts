import { largest } from '@nautil/contracts';
import { CorruptFile, type TensorSource } from '@nautil/formats';
import { classifierWeights, type EncoderConfig, type WeightSpec } from '@nautil/model';
import type { Tokenizer } from '@nautil/tokenization';
import type { ClassifierSource } from './classifier-source.js';

/** A classifier in an open file, whose weights have the shapes that its encoder and its head need. */
export interface ClassifierModel {
  path: string;
  encoder: EncoderConfig;

  /** Id of the tokenizer's padding token, which NeMo's padding also writes into the mask. */
  padId: number;
  head: { numClasses: number; numOutputLayers: number };

  /** Whether it classifies pairs of texts. */
  pairs: boolean;
  specs: readonly WeightSpec[];
  read: (name: string) => Promise<Float32Array | undefined>;

  /** Reads all of the file, and throws CorruptFile if `nautil verify` would reject it. */
  requireSound: () => Promise<void>;
}

/**
 * The classifier that a file contains.
 *
 * @throws CorruptFile for a missing weight, one of another shape, and a tokenizer with ids that the encoder has no embeddings for
 */
export function modelOf(path: string, source: ClassifierSource): ClassifierModel {
  const { tensors, encoder, tokenizer, pairs } = source;
  const head = headOf(path, tensors);
  const specs = classifierWeights({ encoder, ...head });
  requireShapes(path, tensors, specs);
  requireEmbeddings(path, tokenizer, encoder);
  const names = new Set(tensors.names());
  return {
    path,
    encoder,
    padId: tokenizer.padId,
    head,
    pairs,
    specs,
    read: async (name) => (names.has(name) ? tensors.readFloat32(name) : undefined),
    requireSound: async () => {
      const problems = await source.problems();
      if (problems.length > 0) throw unsound(path, problems.join('; '));
    },
  };
}

/** The size of the head, inferred from its weights. */
function headOf(path: string, tensors: TensorSource): { numClasses: number; numOutputLayers: number } {
  const layers = tensors.names().filter((name) => /^classifier\.mlp\.layer\d+\.weight$/.test(name));
  const last = `classifier.mlp.layer${2 * (layers.length - 1)}.weight`;
  if (!layers.includes(last)) throw new CorruptFile(path, 'it has no classifier head (classifier.mlp.layer0.weight …)');
  const { shape } = tensors.info(last);
  const [numClasses = 0] = shape;
  if (shape.length !== 2 || numClasses < 1)
    throw unsound(path, `the classifier head has no classes: ${last} is [${shape.join(', ')}]`);
  return { numOutputLayers: layers.length, numClasses };
}

/** Checked before the model is built: TensorFlow would build it in any size that the file states. */
function requireShapes(path: string, tensors: TensorSource, specs: readonly WeightSpec[]): void {
  const names = new Set(tensors.names());
  for (const { name, shape, used } of specs) {
    if (!names.has(name)) {
      if (used) throw unsound(path, `the weight ${name} is missing`);
      continue;
    }
    const found = tensors.info(name).shape;
    if (found.join() !== shape.join())
      throw unsound(path, `the weight ${name} is [${found.join(', ')}], and the model needs [${shape.join(', ')}]`);
  }
}

/** An id without an embedding would fail only at the first text that contains it. */
function requireEmbeddings(path: string, tokenizer: Tokenizer, { vocabSize }: EncoderConfig): void {
  const { prefixIds, suffixIds, padId, unknownId } = tokenizer.definition;
  const highest = Math.max(tokenizer.vocabSize - 1, padId, unknownId, largest(prefixIds), largest(suffixIds));
  if (highest >= vocabSize)
    throw unsound(path, `its tokenizer has the id ${highest}, and its encoder has embeddings for ${vocabSize}`);
}

const unsound = (path: string, problem: string): CorruptFile =>
  new CorruptFile(path, `the model is not sound: ${problem}`, {
    hint: `\`npx nautil verify ${path}\` shows every check`,
  });
