import { smallest } from '@nautil/contracts';
import {
  type DropoutDraw,
  type Feed,
  hostTensor,
  type Output,
  type Precision,
  type Tensor,
  trace,
} from '@nautil/tensorflow';
import { classify } from './classify.js';
import { encode } from './encode.js';
import { type EncoderConfig, requireAllPositions, segmentsOf } from './encoder-config.js';
import type { EncoderInput } from './layers/encoder-trace.js';
import type { ModelWeights } from './model-weights.js';
import { type ForwardBatch, runRows, type RunRowsOptions } from './run-rows.js';
import type { WeightSpec } from './weight-spec.js';
import { withoutEncoderPrefix } from './weights.js';

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

  /** Absent if the graph has no segments. */
  types: Output | undefined;
  result: Output;
}

/**
 * The forward pass of a model, without dropout. One graph, whose sizes are free, serves batches of every shape.
 *
 * @example
 * const forward = new Forward(weights, { encoder, head: { numOutputLayers: 2 } });
 * const logits = await forward.run(batch);
 */
export class Forward {
  readonly #weights: ModelWeights;
  readonly #shape: ModelShape;

  /** By device: the graph of single texts, and that of pairs. */
  readonly #compiled: { single?: Compiled; pairs?: Compiled }[];

  /** Number of batches that each device is computing. */
  readonly #running: number[];

  constructor(weights: ModelWeights, shape: ModelShape) {
    this.#weights = weights;
    this.#shape = shape;
    this.#compiled = weights.devices.map(() => ({}));
    this.#running = weights.devices.map(() => 0);
  }

  /** Number of batches that are computed at a time, one on each device. */
  get parallelism(): number {
    return this.#running.length;
  }

  /** The logits of each row, or without a head the first token's hidden state: [size, C or H], row-major. */
  async run(batch: ForwardBatch): Promise<Float32Array> {
    requireAllPositions(this.#shape.encoder, batch.length);
    const shape = [batch.size, batch.length];
    const device = this.#running.indexOf(smallest(this.#running));
    const segments = segmentsOf(this.#shape.encoder, batch.types);
    const { ids, mask, types, result } = (this.#compiled[device]![segments ? 'pairs' : 'single'] ??= this.#compile(
      device,
      segments !== undefined,
    ));
    this.#running[device]! += 1;
    try {
      const [values] = await this.#weights.run({
        feeds: [
          [ids, hostTensor('int32', shape, batch.ids)],
          [mask, hostTensor('int32', shape, batch.mask)],
          ...(types && segments ? [[types, hostTensor('int32', shape, segments)] satisfies Feed] : []),
        ],
        fetches: [result],
      });
      return values!;
    } finally {
      this.#running[device]! -= 1;
    }
  }

  /** The result for each row of token ids, in the order of the rows. */
  runRows(rows: readonly (readonly number[])[], o: RunRowsOptions): Promise<Float32Array[]> {
    return runRows((batch) => this.run(batch), rows, {
      ...o,
      maxLength: this.#shape.encoder.maxLength,
    });
  }

  #compile(device: number, hasSegments: boolean): Compiled {
    const weights = this.#weights;
    return weights.onDevice(device, () => {
      const shape = [weights.graph.freeSize(), weights.graph.freeSize()];
      const ids = weights.graph.placeholder('int32', shape);
      const mask = weights.graph.placeholder('int32', shape);
      const types = hasSegments ? weights.graph.placeholder('int32', shape) : undefined;
      const reads = weights.used.map(({ name }) => weights.readOf(weights.variable(name), device));
      return { ids, mask, types, result: traceForward(weights, reads, this.#shape, { ids, mask, types }) };
    });
  }
}

/** Adds the forward pass to the graph, without dropout. Returns logits, or first hidden states without a head. */
function traceForward(
  weights: ModelWeights,
  reads: readonly Output[],
  shape: ModelShape,
  { ids, mask, types }: Omit<Compiled, 'result'>,
): Output {
  return trace(weights.graph, ({ tensor, output }) => {
    const input = { ids: tensor(ids), mask: tensor(mask), types: types && tensor(types) };
    return output(forwardPass(weights.used, reads.map(tensor), shape, input));
  });
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
  { dropout, ...input }: EncoderInput & { dropout?: ForwardDropout },
): Tensor {
  const weights = Object.fromEntries(specs.map(({ name }, i) => [withoutEncoderPrefix(name), values[i]!]));
  const first = encode(encoder, weights, input, { firstTokenOnly: true, precision, dropout });
  if (head === undefined) return first;
  return classify(weights, first, { ...head, dropout: dropout && { ...dropout, rate: dropout.headRate } });
}
