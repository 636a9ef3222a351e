import type { OnnxGraph } from '@nautil/onnx';
import { quantizeMatrix } from './quantize-matrix.js';

/** A matrix whose rows are rounded to bytes, each with its own scale. */
interface RoundedRows {
  bytes: string;

  /** The largest absolute value of each row: [rows, 1]. */
  largest: string;
}

/** Adds nodes to a graph that multiply in bytes. */
export class ByteProducts {
  readonly #graph: OnnxGraph;
  readonly #weightOf: (name: string) => { shape: readonly number[]; data: Float32Array };
  readonly #signed: boolean;
  readonly #step: string;
  readonly #middle: string;
  readonly #least: string;

  /** @param signed - the weights' bytes are signed; see `hasByteProducts` */
  constructor(
    graph: OnnxGraph,
    weightOf: (name: string) => { shape: readonly number[]; data: Float32Array },
    signed: boolean,
  ) {
    this.#graph = graph;
    this.#weightOf = weightOf;
    this.#signed = signed;
    this.#step = graph.weight('step', [], Float32Array.of(1 / 127));
    this.#middle = graph.weight('middle', [], Uint8Array.of(128));
    this.#least = graph.weight('least', [], Float32Array.of(1e-30)); // A row of zeros is not divided by zero.
  }

  /** Rounds each row between its largest absolute value and the negative of it. */
  round(x: string): RoundedRows {
    const graph = this.#graph;
    const largest = graph.op('Max', [
      graph.op('ReduceMax', [graph.op('Abs', [x])], { axes: { ints: [-1] } }),
      this.#least,
    ]);
    return { bytes: graph.op('QuantizeLinear', [graph.op('Div', [x, largest]), this.#step, this.#middle]), largest };
  }

  /** x·Wᵀ in float32, for the weight matrix of that name. */
  multiply(name: string, x: RoundedRows): string {
    const graph = this.#graph;
    const { bytes, scales, zeroPoint } = quantizeMatrix(this.#weightOf(`${name}.weight`), { signed: this.#signed });
    const outputs = scales.length;
    const zeroPoints = new (this.#signed ? Int8Array : Uint8Array)(outputs).fill(zeroPoint);
    const product = graph.fused('MatMulIntegerToFloat', [
      x.bytes,
      graph.weight(`${name}.bytes`, [bytes.length / outputs, outputs], bytes),
      this.#step,
      graph.weight(`${name}.scales`, [outputs], scales),
      this.#middle,
      graph.weight(`${name}.zeroPoints`, [outputs], zeroPoints),
    ]);
    return graph.op('Mul', [product, x.largest]);
  }
}
