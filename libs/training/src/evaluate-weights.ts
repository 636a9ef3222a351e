import { openTensors } from '@nautil/formats';
import type { BatchAmount, Config } from '@nautil/config';
import { Forward, maxLength, parseEncoderConfig, type EncoderConfig } from '@nautil/model';
import { openTokenCache } from '@nautil/tokenization';
import { batchesOf } from './batches.js';
import { chooseDevice } from './choose-device.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { faultPoint } from './fault-point.js';
import type { TrainJob } from './job.js';
import { createModel } from './model.js';

export interface EvaluateWeightsOptions {
  /** The run that made the weights. */
  job: Pick<TrainJob, 'config' | 'numClasses' | 'labelNames' | 'classWeights' | 'logDir'>;

  /** Safetensors under NeMo's names, as training writes them. */
  weights: string;

  /** Hugging Face's config.json of the encoder. */
  encoderConfig: Record<string, unknown>;

  /** What to report on; absent: nothing. */
  on?: {
    /** Token cache of the data set. */
    cache: string;
    dataset: Config['model']['test_ds'];
    limit: BatchAmount;
  };

  /** Texts to classify, as token ids with [CLS] and [SEP]. */
  questions: { rows: number[][]; padId: number };

  /** Called with the number of batches done; throwing from it stops. */
  afterBatch?: (done: number, total: number) => void | Promise<void>;
}

export interface WeightsEvaluated {
  evaluation?: Evaluation;

  /** Logits of each question. [questions, classes] */
  answers: number[][];
}

/** Questions that are answered at a time, as in NeMo's script. */
const questionsAtATime = 16;

/** Loss and report of a file of weights over a tokenised data set, as evaluation during training gives them, and its answers. */
export async function evaluateWeights(o: EvaluateWeightsOptions): Promise<WeightsEvaluated> {
  const { job } = o;
  const { nautil, trainer } = job.config;
  const encoder = parseEncoderConfig(o.encoderConfig, o.weights);
  const source = await openTensors(o.weights);
  const { weights, forward } = createModel(job, encoder, chooseDevice(trainer, nautil).name);
  try {
    const names = new Set(source.names());
    await weights.load(async (name) => (names.has(name) ? source.readFloat32(name) : undefined));
    await faultPoint('weights loaded');
    const evaluation = o.on && (await evaluateOn(forward, encoder, { ...o, on: o.on }));
    const { rows, padId } = o.questions;
    const logits = await forward.runRows(rows, { padId, batchSize: questionsAtATime });
    return { ...(evaluation ? { evaluation } : {}), answers: logits.map((row) => Array.from(row)) };
  } finally {
    weights.close();
    await source.close();
  }
}

async function evaluateOn(
  forward: Forward,
  encoder: EncoderConfig,
  { job, on, afterBatch }: EvaluateWeightsOptions & Required<Pick<EvaluateWeightsOptions, 'on'>>,
): Promise<Evaluation> {
  const cache = openTokenCache(on.cache);
  try {
    const batches = batchesOf(cache, {
      dataset: on.dataset,
      limit: on.limit,
      nautil: job.config.nautil,
      maxPositions: maxLength(encoder),
    });
    return await evaluate(forward, batches, {
      ...job,
      afterBatch: (done) => afterBatch?.(done, batches.batchesPerEpoch),
    });
  } finally {
    cache.close();
  }
}
