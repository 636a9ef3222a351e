import { OnnxGraph } from '@nautil/onnx';
import { ByteProducts } from './byte-products.js';

/** The value of a weight in torch's layout, by its name without NeMo's prefix. */
export type WeightOf = (name: string) => { shape: readonly number[]; data: Float32Array };

export interface OnnxTraceOptions {
  weightOf: WeightOf;

  /** Multiplies in bytes, which are signed or not; absent: in float32. */
  bytes?: { signed: boolean } | undefined;
}

/**
 * The forward pass of an encoder as an ONNX graph under construction. The inputs are `ids` and `mask` (0 or 1), int32
 * [rows, length]. Values are referred to by their names.
 */
export class OnnxTrace {
  readonly graph = new OnnxGraph();
  readonly weightOf: WeightOf;
  readonly ids: string;
  readonly mask: string;

  /** Products in bytes; undefined: all products are float32's. */
  readonly bytes: ByteProducts | undefined;
  readonly #constants = new Set<string>();

  constructor({ weightOf, bytes }: OnnxTraceOptions) {
    this.weightOf = weightOf;
    this.ids = this.graph.input('ids', 'int32', ['rows', 'length']);
    this.mask = this.graph.input('mask', 'int32', ['rows', 'length']);
    this.bytes = bytes && new ByteProducts(this.graph, weightOf, bytes.signed);
  }

  /** A constant of that name, which `values` computes when it is first used: layers may share weights. */
  constant(
    name: string,
    values: () => { shape: readonly number[]; data: Float32Array | Int32Array | Int8Array | Uint8Array },
  ): string {
    if (this.#constants.has(name)) return name;
    this.#constants.add(name);
    const { shape, data } = values();
    return this.graph.weight(name, shape, data);
  }

  /** A list of integers, such as a shape or axes. */
  integers(values: readonly number[]): string {
    const name = `integers ${values.join(' ')}`;
    if (this.#constants.has(name)) return name;
    this.#constants.add(name);
    return this.graph.integers(name, values);
  }

  scalar(value: number): string {
    return this.constant(`scalar ${value}`, () => ({ shape: [], data: Float32Array.of(value) }));
  }

  weight(name: string): string {
    return this.constant(name, () => this.weightOf(name));
  }

  add(a: string, b: string): string {
    return this.graph.op('Add', [a, b]);
  }

  /** x·Wᵀ + b in float32: [N, I] -> [N, O]. */
  linear(name: string, x: string): string {
    const inputs = [x, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.graph.op('Gemm', inputs, { transB: { int: 1 } });
  }

  /** x·Wᵀ in the precision of the graph, with a bias unless the node that reads the product adds it. */
  multiply(name: string, x: string, { hasBias }: { hasBias: boolean }): string {
    if (this.bytes) {
      const product = this.bytes.multiply(name, this.bytes.round(x));
      return hasBias ? this.add(product, this.weight(`${name}.bias`)) : product;
    }
    const bias = hasBias ? [this.weight(`${name}.bias`)] : [];
    return this.graph.op('Gemm', [x, this.weight(`${name}.weight`), ...bias], { transB: { int: 1 } });
  }

  norm(name: string, x: string, epsilon: number): string {
    return this.graph.op('LayerNormalization', [x, this.weight(`${name}.weight`), this.weight(`${name}.bias`)], {
      axis: { int: -1 },
      epsilon,
    });
  }

  /** The tokens of all rows as one matrix: [rows, length, width] -> [rows · length, width]. */
  asTokens(x: string, width: number): string {
    return this.graph.op('Reshape', [x, this.integers([-1, width])]);
  }

  /** [rows · length, width] -> [rows, length, width] */
  asRows(x: string, width: number): string {
    const shape = this.graph.op('Concat', [this.graph.op('Shape', [this.ids]), this.integers([width])], {
      axis: { int: 0 },
    });
    return this.graph.op('Reshape', [x, shape]);
  }

  /** The first tokens: [rows, length, width] -> [rows, width]. */
  firstOf(x: string): string {
    const index = this.constant('first', () => ({ shape: [], data: Int32Array.of(0) }));
    return this.graph.op('Gather', [x, index], { axis: { int: 1 } });
  }
}
