import { classifierWeights, parseEncoderConfig } from '@nautil/model';
import type { TrainJob } from './job.js';
import { optimizerOf } from './optimizer.js';

const bytesPerValue = 4; // weights and the optimizer's state are float32 in every precision

/** The size of what a training changes, in memory and in its files. */
export interface TrainingSize {
  /** Number of values that training changes. */
  parameters: number;

  /** Bytes of the weights, as a file of weights has them. */
  weightsBytes: number;

  /** Bytes of the weights and the optimizer's state: what a checkpoint has, and each device holds throughout the training. */
  checkpointBytes: number;
}

/**
 * The size of a training, computed from the architecture alone.
 *
 * @param encoderConfig - Hugging Face's config.json
 * @throws UnsupportedEncoder
 */
export function trainingSize(
  { config, numClasses }: Pick<TrainJob, 'config' | 'numClasses'>,
  encoderConfig: Record<string, unknown>,
): TrainingSize {
  const { classifier_head, optim } = config.model;
  const specs = classifierWeights({
    encoder: parseEncoderConfig(encoderConfig, 'the configuration of the encoder'),
    numClasses,
    numOutputLayers: classifier_head.num_output_layers,
  });
  const sizeOf = (some: typeof specs): number =>
    some.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const [all, parameters] = [sizeOf(specs), sizeOf(specs.filter(({ used }) => used))];
  const weightsBytes = all * bytesPerValue;
  return {
    parameters,
    weightsBytes,
    checkpointBytes: weightsBytes + parameters * optimizerOf(optim).slots.length * bytesPerValue,
  };
}
