/** The sizes that decide the arithmetic of a BERT classifier: those of config.json, and the number of classes. */
export interface BertSizes {
  layers: number;
  hidden: number;
  intermediate: number;
  vocabulary: number;
  positions: number;
  segments: number;
  classes: number;
}

const uncased = { vocabulary: 30_522, positions: 512, segments: 2, classes: 2 };
export const bertBase: BertSizes = { layers: 12, hidden: 768, intermediate: 3072, ...uncased };
export const bertLarge: BertSizes = { layers: 24, hidden: 1024, intermediate: 4096, ...uncased };
export const miniLmSizes: BertSizes = { layers: 6, hidden: 384, intermediate: 1536, ...uncased };

export interface BatchSize {
  rows: number;
  length: number;
}

/** A part of the model, in the order in which the backward pass computes the gradients of its weights. */
export interface Gradient {
  bytes: number;

  /** The share of the backward pass after which the gradient exists. */
  readyAt: number;
}

/** The work of one training step of one device. */
export interface Step {
  /** Floating-point operations of the matmuls; a multiplication and an addition are two. */
  flops: number;
  gradients: readonly Gradient[];

  /** Of the encoder. */
  layers: number;
}

/** Gradients and weights are float32, whatever the precision of the matmuls. */
const bytesPerGradient = 4;

/** The backward pass of a matmul computes two of its size: the gradients of its input and of its weights. */
const passes = 3;

interface Part {
  parameters: number;

  /** Of the forward pass. */
  flops: number;
}

/** The head, the layers from the last to the first, and the embeddings. */
function partsOf(
  { layers, hidden, intermediate, vocabulary, positions, segments, classes }: BertSizes,
  { rows, length }: BatchSize,
): Part[] {
  const tokens = rows * length;
  const linear = (count: number, inputs: number, outputs: number): number => 2 * count * inputs * outputs;
  // Each query is multiplied with all keys, and its probabilities with all values. Heads divide the width, not the work.
  const attention = (queries: number): number => 2 * linear(queries, hidden, length);
  const afterProjection = (queries: number): number =>
    attention(queries) +
    linear(queries, hidden, hidden) +
    linear(queries, hidden, intermediate) +
    linear(queries, intermediate, hidden);
  const layer: Part = {
    parameters: 4 * (hidden + 1) * hidden + (hidden + 1) * intermediate + (intermediate + 1) * hidden + 4 * hidden,
    flops: linear(tokens, hidden, 3 * hidden) + afterProjection(tokens),
  };
  // The classifier reads the first token only, so the last layer has one query for each row.
  const lastLayer: Part = {
    ...layer,
    flops: linear(tokens, hidden, 2 * hidden) + linear(rows, hidden, hidden) + afterProjection(rows),
  };
  const head: Part = {
    parameters: (hidden + 1) * hidden + (hidden + 1) * classes,
    flops: linear(rows, hidden, hidden) + linear(rows, hidden, classes),
  };
  const embeddings: Part = { parameters: (vocabulary + positions + segments + 2) * hidden, flops: 0 };
  return [head, lastLayer, ...Array.from({ length: layers - 1 }, () => layer), embeddings];
}

/** The number of weights that are trained. */
export const parametersOf = (sizes: BertSizes): number =>
  partsOf(sizes, { rows: 1, length: 1 }).reduce((sum, { parameters }) => sum + parameters, 0);

/** A training step of a batch: its operations, and its gradients in the order of the backward pass. */
export function bertStep(sizes: BertSizes, batch: BatchSize): Step {
  const parts = partsOf(sizes, batch);
  const forward = parts.reduce((sum, { flops }) => sum + flops, 0);
  let done = 0;
  const gradients = parts.map(({ parameters, flops }) => {
    done += flops;
    return { bytes: parameters * bytesPerGradient, readyAt: done / forward };
  });
  return { flops: passes * forward, gradients, layers: sizes.layers };
}
