import { openTensors } from '@nautil/checkpoint';
import type { DatasetSettings, Limit } from '@nautil/config';
import { maxLength, parseEncoderConfig } from '@nautil/model';
import { openTokenCache } from '@nautil/tokenization';
import { batchesOf } from './batches.js';
import { ClassifierGraph } from './classifier-graph.js';
import { evaluate, type Evaluation } from './evaluate.js';
import type { TrainJob } from './job.js';

export interface EvaluateWeightsOptions {
  /** The run that made the weights. */
  job: Pick<TrainJob, 'settings' | 'numClasses' | 'labelNames' | 'classWeights' | 'device'>;

  /** Safetensors under NeMo's names, as training writes them. */
  weights: string;

  /** Hugging Face's config.json of the encoder. */
  encoderConfig: Record<string, unknown>;

  /** Token cache of the data set. */
  cache: string;
  dataset: DatasetSettings;
  limit: Limit;

  /** Called with the number of batches done; throwing from it stops. */
  afterBatch?: (done: number, total: number) => void | Promise<void>;
}

/** Loss and report of a file of weights over a tokenised data set, as evaluation during training gives them. */
export async function evaluateWeights(o: EvaluateWeightsOptions): Promise<Evaluation> {
  const { job } = o;
  const { model, nautil, trainer } = job.settings;
  const encoder = parseEncoderConfig(o.encoderConfig, o.weights);
  const cache = await openTokenCache(o.cache);
  const source = await openTensors(o.weights);
  const graph = new ClassifierGraph({
    encoder,
    numClasses: job.numClasses,
    numOutputLayers: model.classifierHead.numOutputLayers,
    precision: trainer.precision,
    intraOpThreads: nautil.intraOpThreads,
    device: job.device,
  });
  try {
    const names = new Set(source.names());
    await graph.load(async (name) => (names.has(name) ? source.readFloat32(name) : undefined));
    const batches = batchesOf(cache, { dataset: o.dataset, limit: o.limit, nautil, maxPositions: maxLength(encoder) });
    return await evaluate(graph, batches, {
      ...job,
      afterBatch: (done) => o.afterBatch?.(done, batches.batchesPerEpoch),
    });
  } finally {
    graph.close();
    cache.close();
    await source.close();
  }
}
