import type { EncoderConfig } from '@nautil/model';

/** What the settings of a training are chosen by. */
export interface TrainingFacts {
  /** Training examples, without those of the validation set. */
  examples: number;

  /** The 99th percentile of the tokens of a text. */
  percentile99: number;

  /** The architecture of the encoder; unknown for one that is not on this machine. */
  encoder: Pick<EncoderConfig, 'maxLength' | 'numLayers' | 'hiddenSize' | 'numHeads'> | undefined;

  /** Bytes of memory that a training may take. */
  memoryBytes: number;
}

export interface TrainingSettings {
  maxSeqLength: number;
  batchSize: number;

  /** Batches whose gradients are averaged for a step; 1 unless the memory is too small for the batch. */
  accumulate: number;
  maxEpochs: number;

  /** Epochs without a better score after which the training ends. */
  patience: number;
}

/** BERT's positions. Attention takes time and memory with the square of the length, so longer ones are the user's own decision. */
const usualMaxLength = 512;

/** BERT base, for an encoder that is not here yet. */
const usualEncoder = { maxLength: usualMaxLength, numLayers: 12, hiddenSize: 768, numHeads: 12 };

/** Steps with which the grid of docs/decisions/029-new-configurations.md trains small data sets well. */
const wantedSteps = 250;
const [fewestEpochs, mostEpochs] = [3, 10];

/**
 * Chooses the length, the batch size and the epochs of a training. Small data gets smaller batches and more epochs, so that there are
 * enough steps; early stopping ends the epochs that do not help.
 */
export function trainingSettings(facts: TrainingFacts): TrainingSettings {
  const encoder = facts.encoder ?? usualEncoder;
  const longest = Math.min(encoder.maxLength, usualMaxLength);
  const maxSeqLength = Math.min(longest, Math.max(16, 8 * Math.ceil(facts.percentile99 / 8)));
  const whole = facts.examples < 5000 ? 16 : 32;
  let batchSize = whole;
  while (batchSize > 1 && activationBytes(batchSize, maxSeqLength, encoder) > facts.memoryBytes / 2) batchSize /= 2;
  const stepsPerEpoch = Math.ceil(facts.examples / whole);
  const maxEpochs = Math.min(mostEpochs, Math.max(fewestEpochs, Math.ceil(wantedSteps / stepsPerEpoch)));
  return {
    maxSeqLength,
    batchSize,
    accumulate: whole / batchSize,
    maxEpochs,
    patience: Math.ceil(maxEpochs / 2),
  };
}

/**
 * Roughly the bytes that live at once in a training step. A step of MiniLM-L6 with 32 × 64 tokens has 435 MB (docs/performance.md): 80
 * bytes for each token, layer and unit of the width, and 10 for each score of the attention.
 */
function activationBytes(
  batch: number,
  length: number,
  { numLayers, hiddenSize, numHeads }: typeof usualEncoder,
): number {
  return numLayers * batch * length * (80 * hiddenSize + 10 * numHeads * length);
}
