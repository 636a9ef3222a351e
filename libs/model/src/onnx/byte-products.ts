import type { OnnxGraph } from '@nautil/onnx';
import { quantizeMatrix } from './quantize-matrix.js';

/** A matrix whose rows are rounded to bytes, each with its own scale. */
interface RoundedRows {
  bytes: string;

  /** The largest absolute value of each row, or NaN if a number of the row is not finite: [rows, 1]. */
  largest: string;
}

/** A weight matrix in bytes, as inputs of a node. */
interface RoundedMatrix {
  bytes: string;
  scales: string;
  zeroPoints: string;
}

/** Adds nodes to a graph that multiply in bytes. */
export class ByteProducts {
  readonly #graph: OnnxGraph;
  readonly #weightOf: (name: string) => { shape: readonly number[]; data: Float32Array };
  readonly #signed: boolean;
  readonly #step: string;
  readonly #middle: string;
  readonly #least: string;
  readonly #zero: string;

  /** By name: layers may share a matrix. */
  readonly #matrices = new Map<string, RoundedMatrix>();

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
    this.#zero = graph.weight('zero', [], Float32Array.of(0));
  }

  /**
   * Rounds each row between its largest absolute value and the negative of it.
   *
   * NOTE: onnxruntime's ReduceMax passes over NaN, and QuantizeLinear gives bytes for it. A mean does neither.
   */
  round(x: string): RoundedRows {
    const graph = this.#graph;
    const along = { axes: { ints: [-1] } };
    const largest = graph.op('Max', [graph.op('ReduceMax', [graph.op('Abs', [x])], along), this.#least]);
    const fractions = graph.op('Div', [x, largest]);
    const zeroOrNaN = graph.op('Mul', [graph.op('ReduceMean', [fractions], along), this.#zero]);
    return {
      bytes: graph.op('QuantizeLinear', [fractions, this.#step, this.#middle]),
      largest: graph.op('Add', [largest, zeroOrNaN]),
    };
  }

  /** x·Wᵀ in float32, for the weight matrix of that name. */
  multiply(name: string, x: RoundedRows): string {
    const graph = this.#graph;
    const { bytes, scales, zeroPoints } = this.#matrixOf(name);
    const inputs = [x.bytes, bytes, this.#step, scales, this.#middle, zeroPoints];
    return graph.op('Mul', [graph.fused('MatMulIntegerToFloat', inputs), x.largest]);
  }

  #matrixOf(name: string): RoundedMatrix {
    const found = this.#matrices.get(name);
    if (found !== undefined) return found;
    const graph = this.#graph;
    const { bytes, scales, zeroPoint } = quantizeMatrix(this.#weightOf(`${name}.weight`), { signed: this.#signed });
    const outputs = scales.length;
    const zeroPoints = new (this.#signed ? Int8Array : Uint8Array)(outputs).fill(zeroPoint);
    const matrix = {
      bytes: graph.weight(`${name}.bytes`, [bytes.length / outputs, outputs], bytes),
      scales: graph.weight(`${name}.scales`, [outputs], scales),
      zeroPoints: graph.weight(`${name}.zeroPoints`, [outputs], zeroPoints),
    };
    this.#matrices.set(name, matrix);
    return matrix;
  }
}
