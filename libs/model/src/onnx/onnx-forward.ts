import { OnnxSession } from '@nautil/onnx';
import { type EncoderConfig, requireAllPositions, segmentsOf } from '../encoder-config.js';
import type { WeightValues } from '../read-weights.js';
import { type ForwardBatch, runRows, type RunRowsOptions } from '../run-rows.js';
import { exportOnnx, type InferencePrecision } from './export-onnx.js';

export interface OnnxForwardOptions {
  encoder: EncoderConfig;

  /** The classifier's head; absent: the model is an encoder alone. */
  head?: { numOutputLayers: number; numClasses: number } | undefined;

  /** The weights that the model computes with, as `readWeights` returns them. */
  weights: WeightValues;

  /** How the layers multiply. Default: float32. */
  precision?: InferencePrecision | undefined;

  /** Whether the batches consist of pairs, with `types`. Default false. */
  pairs?: boolean | undefined;
}

/**
 * The forward pass of a model in onnxruntime, on the CPU. In float32, it gives the numbers of `Forward` within 1e-4. Nothing is
 * compiled for a new shape, so batches are padded to their longest row and no further.
 *
 * @example
 * const weights = await readWeights(specs, read, 'sst2.nemo');
 * const forward = await OnnxForward.open({ encoder, head, weights });
 * const logits = await forward.run(batch);
 * forward.close();
 */
export class OnnxForward {
  readonly #session: OnnxSession;
  readonly #encoder: EncoderConfig;
  readonly #width: number;

  private constructor(session: OnnxSession, encoder: EncoderConfig, width: number) {
    this.#session = session;
    this.#encoder = encoder;
    this.#width = width;
  }

  /** @throws OnnxRuntimeMissing, OnnxRuntimeError */
  static async open({ encoder, head, weights, precision, pairs }: OnnxForwardOptions): Promise<OnnxForward> {
    const weightOf = (name: string) => weights.get(name)!;
    const session = await OnnxSession.create(exportOnnx({ encoder, head, weightOf, precision, pairs }));
    return new OnnxForward(session, encoder, head?.numClasses ?? encoder.hiddenSize);
  }

  /** The logits of each row, or without a head the first token's hidden state: [size, C or H], row-major. */
  run(batch: ForwardBatch): Promise<Float32Array> {
    requireAllPositions(this.#encoder, batch.length);
    const shape = [batch.size, batch.length];
    const types = segmentsOf(this.#encoder, batch.types);
    const feeds = {
      ids: { shape, data: batch.ids },
      mask: { shape, data: batch.mask },
      ...(types ? { types: { shape, data: types } } : {}),
    };
    return this.#session.run(feeds, [batch.size, this.#width]);
  }

  /** The result for each row of token ids, in the order of the rows; see `Forward.runRows`. */
  runRows(rows: readonly (readonly number[])[], o: RunRowsOptions): Promise<Float32Array[]> {
    return runRows((batch) => this.run(batch), rows, {
      ...o,
      maxLength: this.#encoder.maxLength,
    });
  }

  /** Frees the model's memory. */
  close(): void {
    this.#session.close();
  }
}
