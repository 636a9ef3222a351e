import type { Config } from '@nautil/config';
import { UsageError } from '@nautil/contracts';
import {
  type EncoderConfig,
  Forward,
  hasOnnxExport,
  type InferencePrecision,
  ModelWeights,
  OnnxForward,
  readWeights,
} from '@nautil/model';
import { OnnxRuntimeError, OnnxRuntimeMissing } from '@nautil/onnx';
import { allowTensorFloat32, openTensorFlow } from '@nautil/tensorflow';
import type { Tokenizer } from '@nautil/tokenization';
import type { BatchesOptions } from './batches.js';
import { chooseDevices, findsGpu } from './choose-devices.js';
import { type ClassifierModel, modelOf } from './classifier-model.js';
import { type ClassifierSourceOptions, openClassifierSource } from './classifier-source.js';
import { evaluateCache, type EvaluateOptions, type Evaluation } from './evaluate.js';
import { precisionOf } from './precision-of.js';
import { type Prediction, predictionsOf } from './prediction.js';

export interface ClassifierOptions extends ClassifierSourceOptions {
  /** Rows per batch. Default 32. */
  batchSize?: number;

  /** Pads batches as NeMo does, so that a RoBERTa attends to padding and gives NeMo's logits for a batch. Default false. */
  nemoPadding?: boolean;

  /**
   * What computes. `auto` is onnxruntime on the processor, and TensorFlow on a GPU, if onnxruntime cannot be loaded, for an encoder
   * without an ONNX export, or for padding that it cannot compute with. Default: tensorflow, which computes training and its evaluations.
   */
  engine?: 'auto' | 'onnxruntime' | 'tensorflow' | undefined;

  /**
   * How onnxruntime multiplies. With int8, which TensorFlow does not compute, scores differ a little from float32's. Default:
   * float32.
   */
  precision?: InferencePrecision | undefined;

  /** Computes as a run with this configuration does: its device, precision, threads, oneDNN; needs TensorFlow. Default: TensorFlow's own choice. */
  runAs?: Pick<Config, 'trainer' | 'nautil'>;
}

/** What a classifier reads: a text, or a pair of texts for a model of pairs. */
export type ClassifierInput = string | readonly [first: string, second: string];

type ForwardPass = Pick<OnnxForward, 'run' | 'runRows' | 'close'>;

/**
 * A trained classifier, read from a `.nemo` archive of Nautil or NeMo, or from a checkpoint. It needs neither network nor server.
 *
 * @example
 * const classifier = await Classifier.open('sst2.nemo');
 * const [answer] = await classifier.predict(['a gorgeous, witty, seductive movie']);
 * classifier.close();
 */
export class Classifier {
  readonly tokenizer: Tokenizer;
  readonly encoder: EncoderConfig;
  readonly numClasses: number;
  readonly labels: readonly string[] | undefined;

  /** Whether the model classifies pairs of texts. */
  readonly pairs: boolean;

  /** Maximum input length in tokens; longer texts are truncated. */
  readonly maxTokens: number;

  /** Assumptions made while opening: an inferred architecture, the tokenizer's casing, rebuilt merges. */
  readonly notes: readonly string[];
  readonly #forward: ForwardPass;
  readonly #batching: { batchSize: number; nemoPadding: boolean };

  private constructor(o: {
    forward: ForwardPass;
    tokenizer: Tokenizer;
    encoder: EncoderConfig;
    numClasses: number;
    labels: string[] | undefined;
    pairs: boolean;
    maxTokens: number;
    notes: string[];
    batching: { batchSize: number; nemoPadding: boolean };
  }) {
    this.#forward = o.forward;
    this.#batching = o.batching;
    this.tokenizer = o.tokenizer;
    this.encoder = o.encoder;
    this.numClasses = o.numClasses;
    this.labels = o.labels;
    this.pairs = o.pairs;
    this.maxTokens = o.maxTokens;
    this.notes = o.notes;
  }

  /**
   * Opens a `.nemo` archive, or a checkpoint (`.ckpt`) in a run's folder.
   *
   * @throws CorruptFile and related errors for a damaged file, UnsupportedEncoder, TokenizerError, TensorFlowMissing,
   * UsageError for NeMo's padding in onnxruntime with a padding token other than 0 and 1.
   */
  static async open(path: string, options: ClassifierOptions = {}): Promise<Classifier> {
    const source = await openClassifierSource(path, options);
    try {
      const { encoder, tokenizer } = source;
      const model = modelOf(path, source);
      const { forward, notes } = await openForward(model, options);
      return new Classifier({
        forward,
        tokenizer,
        encoder,
        numClasses: model.head.numClasses,
        labels: source.labels,
        pairs: source.pairs,
        maxTokens: Math.min(source.maxSeqLength, encoder.maxLength),
        notes: [...source.notes, ...notes],
        batching: { batchSize: options.batchSize ?? 32, nemoPadding: options.nemoPadding ?? false },
      });
    } finally {
      await source.close();
    }
  }

  /**
   * One prediction for each text, or for each pair of a model of pairs, in order.
   *
   * @throws UsageError for single texts if the model classifies pairs, and the other way round
   */
  async predict(inputs: readonly ClassifierInput[]): Promise<Prediction[]> {
    if (!this.pairs) {
      const logits = await this.logits(inputs.map((text) => this.tokenizer.encode(singleOf(text), this.maxTokens)));
      return predictionsOf(logits, this.labels);
    }
    const encoded = inputs.map((pair) => this.tokenizer.encodePair(...pairOf(pair), this.maxTokens));
    const logits = await this.logits(
      encoded.map(({ ids }) => ids),
      encoded.map(({ firstLength }) => firstLength),
    );
    return predictionsOf(logits, this.labels);
  }

  /** Loss and report on a token cache of this classifier's tokenizer, as training and the evaluate stage compute them. */
  evaluate(
    o: Omit<BatchesOptions, 'maxPositions'> & Pick<EvaluateOptions, 'classWeights' | 'onRow'> & { cache: string },
  ): Promise<Evaluation> {
    const { numClasses, labels } = this;
    return evaluateCache(this.#forward, {
      ...o,
      numClasses,
      ...(labels ? { labelNames: [...labels] } : {}),
      maxPositions: this.encoder.maxLength,
    });
  }

  /**
   * The logits of rows of token ids with their special tokens, in the order of the rows.
   *
   * @param firstLengths - number of tokens of each row's first segment, for a model of pairs
   */
  logits(rows: readonly (readonly number[])[], firstLengths?: readonly number[]): Promise<Float32Array[]> {
    return this.#forward.runRows(rows, { padId: this.tokenizer.padId, ...this.#batching, firstLengths });
  }

  /** Frees the model's memory. */
  close(): void {
    this.#forward.close();
  }
}

/** The model in the engine that the options name, and a note if it is another one. */
async function openForward(
  model: ClassifierModel,
  o: ClassifierOptions,
): Promise<{ forward: ForwardPass; notes: string[] }> {
  const { engine = 'tensorflow', precision = 'float32' } = o;
  if (precision === 'int8' && engine === 'tensorflow')
    throw new UsageError('TensorFlow does not compute in int8', {
      hint: 'leave --engine out, or use --precision float32',
    });
  const mustBeOnnx = engine === 'onnxruntime' || precision === 'int8';
  // With a padding token other than 0 and 1, NeMo's padding gives masks that onnxruntime does not compute with.
  const isBinaryMask = o.nemoPadding !== true || model.padId <= 1;
  const isExported = hasOnnxExport(model.encoder);
  const notExported = `there is no ONNX export of ${model.encoder.modelType}`;
  if (mustBeOnnx && !isExported)
    throw new UsageError(`${model.path}: ${notExported}, so onnxruntime cannot compute it`, {
      hint: `use --engine tensorflow${precision === 'int8' ? ' and --precision float32' : ''}`,
    });
  if (mustBeOnnx && !isBinaryMask)
    throw new UsageError(
      `${model.path}: onnxruntime cannot pad as NeMo does with a padding token of id ${model.padId}`,
      {
        hint: `use --engine tensorflow${precision === 'int8' ? ' and --precision float32' : ''}, or leave --nemo-padding out`,
      },
    );
  const wantsOnnx = mustBeOnnx || (engine === 'auto' && isBinaryMask && !findsGpu());
  if (wantsOnnx && !isExported) {
    return { forward: await openInTensorFlow(model, o), notes: [`TensorFlow computes: ${notExported}`] };
  }
  if (wantsOnnx) {
    const { encoder, head, path, pairs } = model;
    const weights = await readWeights(model.specs, model.read, path);
    await model.requireSound();
    try {
      return { forward: await OnnxForward.open({ encoder, head, weights, precision, pairs }), notes: [] };
    } catch (error) {
      const isUnavailable = error instanceof OnnxRuntimeMissing || error instanceof OnnxRuntimeError;
      if (mustBeOnnx || !isUnavailable) throw error;
      return { forward: await openInTensorFlow(model, o), notes: [`TensorFlow computes: ${error.message}`] };
    }
  }
  return { forward: await openInTensorFlow(model, o), notes: [] };
}

async function openInTensorFlow(model: ClassifierModel, { runAs }: ClassifierOptions): Promise<ForwardPass> {
  const { encoder, head, specs, path } = model;
  if (runAs) openTensorFlow({ onednn: runAs.nautil.onednn });
  if (runAs) allowTensorFloat32(runAs.nautil.tf32);
  const device = runAs && chooseDevices(runAs.trainer, runAs.nautil).names[0];
  const weights = new ModelWeights({
    specs,
    ...(runAs && device !== undefined ? { intraOpThreads: runAs.nautil.intra_op_threads, devices: [device] } : {}),
  });
  try {
    await weights.load(model.read, path);
    await model.requireSound();
  } catch (error) {
    weights.close();
    throw error;
  }
  const precision = runAs && device !== undefined ? precisionOf(runAs.trainer, device) : 'float32';
  const forward = new Forward(weights, { encoder, head, precision });
  return {
    run: (batch) => forward.run(batch),
    runRows: (rows, options) => forward.runRows(rows, options),
    close: () => weights.close(),
  };
}

function singleOf(input: ClassifierInput): string {
  if (typeof input === 'string') return input;
  throw new UsageError('the model classifies single texts, and it was given a pair', {
    hint: 'pass one text for each prediction, or train a model on pairs',
  });
}

function pairOf(input: ClassifierInput): readonly [string, string] {
  if (typeof input !== 'string') return input;
  throw new UsageError('the model classifies pairs of texts, and it was given a single text', {
    hint: 'pass two texts for each prediction, as in the training data',
  });
}
