import { type DropoutDraw, hostTensor, type Output, type Precision, type Tensor, trace } from '@nautil/tensorflow';
import { type Batch, padRows } from '@nautil/tokenization';
import { classify } from './classify.js';
import { encode } from './encode.js';
import { type EncoderConfig, maxLength } from './encoder-config.js';
import { memoized, type ModelWeights } from './model-weights.js';
import { encoderPrefix, type WeightSpec } from './weights.js';

export interface ModelShape {
  encoder: EncoderConfig;

  /** The classifier's head; absent: the model is an encoder alone. */
  head?: { numOutputLayers: number };
  precision?: Precision | undefined;
}

export interface ForwardDropout extends DropoutDraw {
  /** Dropout between encoder and head; the encoder's rates are in its configuration. */
  readonly headRate: number;
}

interface Compiled {
  ids: Output;
  mask: Output;
  result: Output;
}

/** Lengths are rounded up to a multiple of this, so that a few graphs serve all batches. */
const lengthMultiple = 8;

/** Rows that are sorted by length together before they are cut into batches. */
const sortedRows = 1024;

/**
 * The forward pass of a model, without dropout. It is compiled once for each padded shape [rows, length].
 *
 * @example
 * const forward = new Forward(weights, { encoder, head: { numOutputLayers: 2 } });
 * const logits = await forward.run(batch);
 */
export class Forward {
  readonly #weights: ModelWeights;
  readonly #shape: ModelShape;
  readonly #compiled = new Map<string, Compiled>();

  constructor(weights: ModelWeights, shape: ModelShape) {
    this.#weights = weights;
    this.#shape = shape;
  }

  /** The logits of each row, or without a head the first token's hidden state: [paddedRows, C or H], row-major. */
  async run(batch: Pick<Batch, 'paddedRows' | 'length' | 'ids' | 'mask'>): Promise<Float32Array> {
    const shape = [batch.paddedRows, batch.length];
    const { ids, mask, result } = memoized(this.#compiled, shape.join('x'), () => this.#compile(shape));
    const [values] = await this.#weights.run({
      feeds: [
        [ids, hostTensor('int32', shape, batch.ids)],
        [mask, hostTensor('int32', shape, batch.mask)],
      ],
      fetches: [result],
    });
    return values!;
  }

  /**
   * The result for each row of token ids, in the order of the rows. Rows of similar length share a batch, except with
   * `nemoPadding`.
   *
   * @param rows - token ids with their special tokens, without padding.
   * @param o.nemoPadding - pads as NeMo does. A row's result may then depend on the longest row of its batch, so the rows are
   *   cut into batches in their own order.
   */
  async runRows(
    rows: readonly (readonly number[])[],
    o: { padId: number; batchSize: number; nemoPadding?: boolean },
  ): Promise<Float32Array[]> {
    const results = new Array<Float32Array>(rows.length);
    const { nemoPadding = false } = o;
    const sorted = nemoPadding ? rows.length : sortedRows;
    for (let from = 0; from < rows.length; from += sorted) {
      const order = Array.from({ length: Math.min(sorted, rows.length - from) }, (_, i) => from + i);
      if (!nemoPadding) order.sort((a, b) => rows[a]!.length - rows[b]!.length || a - b);
      for (let at = 0; at < order.length; at += o.batchSize) {
        const indexes = order.slice(at, at + o.batchSize);
        const batch = padRows(
          indexes.map((index) => rows[index]!),
          {
            padId: o.padId,
            lengthMultiple,
            maxLength: maxLength(this.#shape.encoder),
            nemoPadding,
            // One graph serves all full batches, and one each power of two the rest.
            padRowsTo: Math.min(o.batchSize, 2 ** Math.ceil(Math.log2(indexes.length))),
          },
        );
        const values = await this.run(batch);
        const width = values.length / batch.paddedRows;
        for (const [row, index] of indexes.entries()) results[index] = values.slice(row * width, (row + 1) * width);
      }
    }
    return results;
  }

  #compile(shape: readonly number[]): Compiled {
    const weights = this.#weights;
    return weights.onDevice(() => {
      const ids = weights.graph.placeholder('int32', shape);
      const mask = weights.graph.placeholder('int32', shape);
      return { ids, mask, result: traceForward(weights, this.#shape, { ids, mask }) };
    });
  }
}

/** Adds the forward pass to the graph, without dropout. Returns logits, or first hidden states without a head. */
export function traceForward(
  weights: ModelWeights,
  shape: ModelShape,
  { ids, mask }: { ids: Output; mask: Output },
): Output {
  const reads = weights.used.map(({ name }) => weights.readOf(weights.variable(name)));
  return trace(weights.graph, ({ tensor, output }) =>
    output(forwardPass(weights.used, reads.map(tensor), shape, { ids: tensor(ids), mask: tensor(mask) })),
  );
}

/**
 * Logits, or first hidden states without a head. For use inside `trace`.
 *
 * @param values - of `specs`, in their order
 */
export function forwardPass(
  specs: readonly WeightSpec[],
  values: readonly Tensor[],
  { encoder, head, precision = 'float32' }: ModelShape,
  { ids, mask, dropout }: { ids: Tensor; mask: Tensor; dropout?: ForwardDropout },
): Tensor {
  const weights = Object.fromEntries(specs.map(({ name }, i) => [withoutPrefix(name), values[i]!]));
  const first = encode(encoder, weights, { ids, mask }, { firstTokenOnly: true, precision, dropout });
  if (head === undefined) return first;
  return classify(weights, first, { ...head, dropout: dropout && { ...dropout, rate: dropout.headRate } });
}

const withoutPrefix = (name: string): string =>
  name.startsWith(encoderPrefix) ? name.slice(encoderPrefix.length) : name;
