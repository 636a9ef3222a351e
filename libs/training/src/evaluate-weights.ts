import type { BatchAmount, Config } from '@nautil/config';
import { openTensors } from '@nautil/formats';
import { parseEncoderConfig } from '@nautil/model';
import { evaluationDevice } from './choose-devices.js';
import { evaluateCache, type Evaluation } from './evaluate.js';
import { faultPoint } from './fault-point.js';
import type { TrainJob } from './job.js';
import { createModel } from './model.js';
import { requireFinite } from './prediction.js';

export interface EvaluateWeightsOptions {
  /** The run that produced the weights. */
  job: Pick<TrainJob, 'config' | 'numClasses' | 'labelNames' | 'classWeights' | 'logDir'>;

  /** Path of a safetensors file under NeMo's names, as training writes it. */
  weights: string;

  /** Hugging Face's config.json of the encoder. */
  encoderConfig: Record<string, unknown>;

  /** The data set to evaluate on; absent: none. */
  on?: {
    /** Path of its token cache. */
    cache: string;
    dataset: Config['model']['test_ds'];
    limit: BatchAmount;
  };

  /** Texts or pairs to classify: token ids with their special tokens, and of pairs the number of tokens of each first segment. */
  questions: { rows: number[][]; padId: number; firstLengths?: number[] };
}

export interface WeightsEvaluated {
  evaluation?: Evaluation;

  /** The logits of each question. [questions, classes] */
  answers: number[][];
}

/** Questions in one batch, as in NeMo's script. */
const questionsPerBatch = 16;

/**
 * Loads weights from a file, evaluates them as training does, and classifies some texts.
 *
 * @throws OutputNotFinite, here rather than in the caller: the JSON between processes turns NaN into null
 */
export async function evaluateWeights(o: EvaluateWeightsOptions): Promise<WeightsEvaluated> {
  const { job, on, questions } = o;
  const { nautil, trainer } = job.config;
  const encoder = parseEncoderConfig(o.encoderConfig, o.weights);
  const source = await openTensors(o.weights);
  const { weights, forward } = createModel(job, encoder, [evaluationDevice(trainer, nautil)]);
  try {
    const names = new Set(source.names());
    await weights.load(async (name) => (names.has(name) ? source.readFloat32(name) : undefined), o.weights);
    await faultPoint('weights loaded');
    const evaluation = on && (await evaluateCache(forward, { ...on, ...job, nautil, maxPositions: encoder.maxLength }));
    const logits = await forward.runRows(questions.rows, {
      padId: questions.padId,
      batchSize: questionsPerBatch,
      nemoPadding: nautil.batches.nemo_padding,
      firstLengths: questions.firstLengths,
    });
    return { ...(evaluation ? { evaluation } : {}), answers: logits.map((row) => Array.from(requireFinite(row))) };
  } finally {
    weights.close();
    await source.close();
  }
}
