import { classifierWeights, type EncoderConfig, Forward, type ModelShape, ModelWeights } from '@nautil/model';
import type { TrainJob } from './job.js';
import { precisionOf } from './precision-of.js';
import { TrainStep } from './train-step.js';

/** A classifier in a TensorFlow session. */
export interface Model {
  weights: ModelWeights;
  forward: Forward;
}

export interface TrainableModel extends Model {
  trainStep: TrainStep;
}

type ModelJob = Pick<TrainJob, 'config' | 'numClasses'>;

/** The classifier that a job describes, without values for its weights. `device` is TensorFlow's name. */
export function createModel(
  { config, numClasses }: ModelJob,
  encoder: EncoderConfig,
  device: string,
): Model & { shape: ModelShape } {
  const { model, nautil, trainer } = config;
  const head = { numClasses, numOutputLayers: model.classifier_head.num_output_layers };
  const shape: ModelShape = { encoder, head, precision: precisionOf(trainer) };
  const specs = classifierWeights({ encoder, ...head });
  const weights = new ModelWeights({ specs, device, intraOpThreads: nautil.intra_op_threads });
  return { weights, forward: new Forward(weights, shape), shape };
}

/** The classifier that a job describes, with the optimizer step that trains it. */
export function createTrainableModel(job: ModelJob, encoder: EncoderConfig, device: string): TrainableModel {
  const { shape, ...model } = createModel(job, encoder, device);
  const { nautil, trainer } = job.config;
  const trainStep = new TrainStep(model.weights, {
    shape,
    optim: job.config.model.optim,
    clip: trainer.gradient_clip_val ?? 0,
    seed: nautil.seed,
    headDropout: job.config.model.classifier_head.fc_dropout,
  });
  return { ...model, trainStep };
}
