import { openTensors } from '@nautil/formats';
import type { BatchAmount, Config } from '@nautil/config';
import { maxLength, parseEncoderConfig, type EncoderConfig } from '@nautil/model';
import { openTokenCache } from '@nautil/tokenization';
import { batchesOf, batchOfRows } from './batches.js';
import { chooseDevice } from './choose-device.js';
import { ClassifierGraph } from './classifier-graph.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { faultPoint } from './fault-point.js';
import type { TrainJob } from './job.js';

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
  const { model, nautil, trainer } = job.config;
  const encoder = parseEncoderConfig(o.encoderConfig, o.weights);
  const source = await openTensors(o.weights);
  const graph = new ClassifierGraph({
    encoder,
    numClasses: job.numClasses,
    numOutputLayers: model.classifier_head.num_output_layers,
    precision: trainer.precision,
    intraOpThreads: nautil.intra_op_threads,
    device: chooseDevice(trainer, nautil).name,
  });
  try {
    const names = new Set(source.names());
    await graph.load(async (name) => (names.has(name) ? source.readFloat32(name) : undefined));
    await faultPoint('weights loaded');
    const evaluation = o.on && (await evaluateOn(graph, encoder, { ...o, on: o.on }));
    return { ...(evaluation ? { evaluation } : {}), answers: await answer(graph, encoder, o) };
  } finally {
    graph.close();
    await source.close();
  }
}

async function evaluateOn(
  graph: ClassifierGraph,
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
    return await evaluate(graph, batches, {
      ...job,
      afterBatch: (done) => afterBatch?.(done, batches.batchesPerEpoch),
    });
  } finally {
    cache.close();
  }
}

async function answer(
  graph: ClassifierGraph,
  encoder: EncoderConfig,
  { job, questions: { rows, padId } }: EvaluateWeightsOptions,
): Promise<number[][]> {
  const answers: number[][] = [];
  for (let from = 0; from < rows.length; from += questionsAtATime) {
    const some = rows.slice(from, from + questionsAtATime);
    const batch = batchOfRows(some, { padId, maxPositions: maxLength(encoder), batchSize: questionsAtATime });
    const logits = await graph.logits(batch);
    some.forEach((_, i) => answers.push(Array.from(logits.slice(i * job.numClasses, (i + 1) * job.numClasses))));
  }
  return answers;
}
