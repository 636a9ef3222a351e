import {
  dropout,
  type DropoutDraw,
  embedding,
  layerNorm,
  linear,
  type LinearOptions,
  type MatMul,
  matMulIn,
  type Precision,
  range,
  type Tensor,
  tfjs,
} from '@nautil/tensorflow';

/** Traced tensors, by the names in `encoderWeights` and `headWeights`. */
export type Weights = Readonly<Record<string, Tensor>>;

export interface EncoderInput {
  /** int32 [B, T] */
  ids: Tensor;
  /** int32 [B, T]: 1 for a token, 0 for padding. */
  mask: Tensor;
  /** int32 [B, T]: segment ids; default: all 0. */
  types?: Tensor | undefined;
}

export interface EncodeOptions {
  /** Enables the dropouts of the configuration. */
  dropout?: DropoutDraw | undefined;
  /** Computes the last layer for the first token only, which is all that a classifier reads. Default false. */
  firstTokenOnly?: boolean;
  /** Type of the inputs of matmuls. Default float32. */
  precision?: Precision;
  /** Receives the embeddings as layer 0, then each layer's output, [B, T, H]; with `firstTokenOnly`, the last is [B, 1, H]. */
  onHidden?: (layer: number, hidden: Tensor) => void;
  /** Receives each layer's probabilities, from layer 0, [B, A, T, T]; with `firstTokenOnly`, the last are [B, A, 1, T]. */
  onAttention?: (layer: number, probabilities: Tensor) => void;
}

/** One layer, and the tokens whose outputs it computes. */
export interface LayerTokens {
  /** Index of the layer, from 0. */
  readonly layer: number;
  /** Number of tokens per row whose output is computed: T, or 1 for the last layer with `firstTokenOnly`. */
  readonly length: number;
  /** The rows of these tokens: [B·T, H] -> [B·length, H]. */
  readonly select: (x: Tensor) => Tensor;
}

// float32's lowest value, as in transformers. A row that is all padding gets uniform probabilities; -Infinity would give NaN.
export const lowest = -3.4028234663852886e38;

/** The forward pass of an encoder while it is traced: its batch, its weights, and the operations that depend on the options. */
export class EncoderTrace {
  readonly input: EncoderInput;

  /** B, the number of rows. */
  readonly batchSize: number;

  /** T, the number of tokens of each row. */
  readonly length: number;
  readonly precision: Precision;

  /** tf.matMul of tensors that are rounded to the precision first. */
  readonly matMul: MatMul;
  readonly #weights: Weights;
  readonly #options: EncodeOptions;
  #maskBias: Tensor | undefined;

  constructor(weights: Weights, input: EncoderInput, options: EncodeOptions) {
    [this.batchSize, this.length] = input.ids.shape as [number, number];
    this.input = input;
    this.precision = options.precision ?? 'float32';
    this.matMul = matMulIn(this.precision);
    this.#weights = weights;
    this.#options = options;
  }

  /** A weight by its full name. */
  weight(name: string): Tensor {
    return this.#weights[name]!;
  }

  /** The bias of a linear layer or a norm; undefined for one that has none. */
  biasOf(name: string): Tensor | undefined {
    return this.#weights[`${name}.bias`];
  }

  /** torch's nn.Linear of that name: [N, I] -> [N, O]. */
  linear(name: string, x: Tensor, o: Pick<LinearOptions, 'result'> = {}): Tensor {
    return linear(x, this.weight(`${name}.weight`), this.biasOf(name), { precision: this.precision, ...o });
  }

  /** torch's nn.LayerNorm of that name: [N, H] -> [N, H]. */
  norm(name: string, x: Tensor, epsilon: number): Tensor {
    return layerNorm(x, this.weight(`${name}.weight`), this.biasOf(name), epsilon);
  }

  /** Dropout of `x`, whose first axis is B or B·length. `site` identifies this dropout within the model. */
  dropout(site: number, rate: number, x: Tensor): Tensor {
    const draw = this.#options.dropout;
    return draw ? dropout(x, { ...draw, rate, site, rows: this.batchSize }) : x;
  }

  /** Dropout of a value that all rows share: every micro-batch and every replica of a step draws the same mask. */
  sharedDropout(site: number, rate: number, x: Tensor): Tensor {
    const draw = this.#options.dropout;
    return draw ? dropout(x, { ...draw, rowOffset: tfjs().scalar(0, 'int32'), rate, site, rows: 1 }) : x;
  }

  /** What is added to attention scores: 0 for tokens, float32's lowest value for padding. [B, 1, 1, T] */
  get maskBias(): Tensor {
    return (this.#maskBias ??= tfjs()
      .sub(1, this.input.mask.toFloat())
      .mul(lowest)
      .reshape([this.batchSize, 1, 1, this.length]));
  }

  /** The tokens of layer `layer` of `numLayers`. */
  tokensOf(layer: number, numLayers: number): LayerTokens {
    const { batchSize: B, length: T } = this;
    if (this.#options.firstTokenOnly !== true || layer < numLayers - 1) return { layer, length: T, select: (x) => x };
    return { layer, length: 1, select: (x) => embedding(x, range(B, T)) };
  }

  /** Passes hidden states to the caller, as layer 0 those after the embeddings. */
  reportHidden(layer: number, hidden: Tensor, length: number): void {
    this.#options.onHidden?.(layer, hidden.reshape([this.batchSize, length, hidden.shape[1]!]));
  }

  /** Passes attention probabilities to the caller, from layer 0. */
  reportAttention(layer: number, probabilities: Tensor): void {
    this.#options.onAttention?.(layer, probabilities);
  }
}
