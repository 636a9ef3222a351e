import { classifierWeights, type EncoderConfig, Forward, type ModelShape, ModelWeights } from '@nautil/model';
import { allowTensorFloat32, type ClusterSession, requireDeterministicOps } from '@nautil/tensorflow';
import type { TrainJob } from './job.js';
import { isGpu, precisionOf } from './precision-of.js';
import { type DevicePlaces, TrainStep } from './train-step.js';

/** A classifier in a TensorFlow session. */
export interface Model {
  weights: ModelWeights;
  forward: Forward;
}

export interface TrainableModel extends Model {
  trainStep: TrainStep;
}

type ModelJob = Pick<TrainJob, 'config' | 'numClasses'>;

/** What the optimizer step depends on besides the job. */
export interface TrainableOptions {
  /** Whether the model is trained on pairs of texts. */
  pairs: boolean;
  cluster?: Cluster | undefined;
}

/** How the devices of several processes train together. */
interface Cluster {
  session: ClusterSession;
  places: DevicePlaces;
}

/** The classifier that a job describes, without values for its weights. `devices` are TensorFlow's names, of at least one device. */
export function createModel(
  { config, numClasses }: ModelJob,
  encoder: EncoderConfig,
  devices: readonly string[],
  cluster?: ClusterSession,
): Model & { shape: ModelShape } {
  const { model, nautil, trainer } = config;
  const head = { numClasses, numOutputLayers: model.classifier_head.num_output_layers };
  const shape: ModelShape = { encoder, head, precision: precisionOf(trainer, devices[0]!) };
  // Every time, because an earlier job of this process may have decided otherwise.
  allowTensorFloat32(nautil.tf32);
  requireDeterministicOps(isGpu(devices[0]!) && trainer.deterministic !== false);
  const specs = classifierWeights({ encoder, ...head });
  const weights = new ModelWeights({
    specs,
    devices: cluster ? devices.map((device) => cluster.deviceName(device)) : devices,
    intraOpThreads: nautil.intra_op_threads,
    cluster,
  });
  return { weights, forward: new Forward(weights, shape), shape };
}

/** The classifier that a job describes, with the optimizer step that trains it. */
export function createTrainableModel(
  job: ModelJob,
  encoder: EncoderConfig,
  devices: readonly string[],
  { pairs, cluster }: TrainableOptions,
): TrainableModel {
  const { shape, ...model } = createModel(job, encoder, devices, cluster?.session);
  const { nautil, trainer } = job.config;
  const trainStep = new TrainStep(model.weights, {
    shape,
    optim: job.config.model.optim,
    clip: trainer.gradient_clip_val ?? 0,
    seed: nautil.seed,
    headDropout: job.config.model.classifier_head.fc_dropout,
    places: cluster?.places,
    pairs,
    isCompiled: trainer.compile,
  });
  return { ...model, trainStep };
}
