import { OnnxGraph } from '@nautil/onnx';
import { lowest } from '../layers/encoder-trace.js';
import { ByteProducts } from './byte-products.js';

/** The value of a weight in torch's layout, by its name without NeMo's prefix. */
export type WeightOf = (name: string) => { shape: readonly number[]; data: Float32Array };

export interface OnnxTraceOptions {
  weightOf: WeightOf;

  /** Multiplies in bytes, which are signed or not; absent: in float32. */
  bytes?: { signed: boolean } | undefined;

  /** Reads the input `types`. */
  hasTypes: boolean;

  /** Whether the graph is for other programs: with the inputs of NeMo's export, and ONNX's own operators alone. */
  isPortable?: boolean | undefined;
}

/**
 * The forward pass of an encoder as an ONNX graph under construction. The inputs are `ids`, `mask` (0 or 1) and, of pairs,
 * `types` (0 or 1), int32 [rows, length]; of a portable graph `input_ids`, `attention_mask` and `token_type_ids`, int64
 * [batch, sequence]. Values are referred to by their names.
 */
export class OnnxTrace {
  readonly graph: OnnxGraph;
  readonly weightOf: WeightOf;
  readonly ids: string;
  readonly mask: string;

  /** The segment of each token; undefined: all tokens are of the first. */
  readonly types: string | undefined;

  /** Products in bytes; undefined: all products are float32's. */
  readonly bytes: ByteProducts | undefined;
  readonly #constants = new Set<string>();
  readonly #values = new Map<string, string>();

  constructor({ weightOf, bytes, hasTypes, isPortable = false }: OnnxTraceOptions) {
    this.weightOf = weightOf;
    this.graph = new OnnxGraph({ isPortable });
    if (isPortable) {
      // NeMo's export has all three, whatever the encoder.
      const [ids, mask, types] = ['input_ids', 'attention_mask', 'token_type_ids'].map((name) =>
        this.graph.input(name, 'int64', ['batch', 'sequence']),
      ) as [string, string, string];
      this.ids = ids;
      this.mask = mask;
      this.types = hasTypes ? types : undefined;
    } else {
      const input = (name: string) => this.graph.input(name, 'int32', ['rows', 'length']);
      this.ids = input('ids');
      this.mask = input('mask');
      this.types = hasTypes ? input('types') : undefined;
    }
    this.bytes = bytes && new ByteProducts(this.graph, weightOf, bytes.signed);
  }

  /** A constant of that name, which `values` computes when it is first used: layers may share weights. */
  constant(
    name: string,
    values: () => {
      shape: readonly number[];
      data: Float32Array | Int32Array | BigInt64Array | Int8Array | Uint8Array;
    },
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

  /** A whole number as an int64 scalar. */
  integer(value: number): string {
    return this.constant(`integer ${value}`, () => ({ shape: [], data: BigInt64Array.of(BigInt(value)) }));
  }

  /** The number of rows, as an int64 vector of one number. */
  get rowCount(): string {
    return this.#memoized('rowCount', () => this.slice(this.graph.op('Shape', [this.ids]), 0, 0, 1));
  }

  /** T, the number of tokens of each row, as an int64 scalar. */
  get length(): string {
    return this.#memoized('length', () =>
      this.graph.op('Gather', [this.graph.op('Shape', [this.ids]), this.integer(1)]),
    );
  }

  /** The positions 0, 1, …: int64 [length]. */
  get positions(): string {
    return this.#memoized('positions', () => this.graph.op('Range', [this.integer(0), this.length, this.integer(1)]));
  }

  /** The positions of RoBERTa, which count the tokens other than padding from the id of padding + 1: int64 [rows, length]. */
  positionsAfter(paddingId: number): string {
    const { graph } = this;
    const padding = this.integer(paddingId);
    const isPadding = graph.op('Equal', [graph.cast(this.ids, 'int64'), padding]);
    const real = graph.cast(graph.op('Not', [isPadding]), 'int64');
    return this.add(graph.op('Mul', [graph.op('CumSum', [real, this.integer(1)]), real]), padding);
  }

  /** j - i for each pair of positions: int64 [length, length]. */
  get distances(): string {
    return this.#memoized('distances', () => {
      const [rows, columns] = [1, 0].map((axis) => this.graph.op('Unsqueeze', [this.positions, this.integers([axis])]));
      return this.graph.op('Sub', [columns!, rows!]);
    });
  }

  /** What is added to attention scores: 0 for tokens, float32's lowest value for padding. [rows, 1, 1, length] */
  get maskBias(): string {
    return this.#memoized('maskBias', () => {
      const isPadding = this.graph.op('Sub', [this.scalar(1), this.graph.cast(this.mask, 'float32')]);
      const bias = this.graph.op('Mul', [isPadding, this.scalar(lowest)]);
      return this.graph.op('Unsqueeze', [bias, this.integers([1, 2])]);
    });
  }

  /** The part of an axis from `from` up to `to`, each a number or the name of an int64 vector of one number. */
  slice(x: string, axis: number, from: number | string, to: number | string): string {
    const bound = (at: number | string) => (typeof at === 'number' ? this.integers([at]) : at);
    return this.graph.op('Slice', [x, bound(from), bound(to), this.integers([axis])]);
  }

  /** x·Wᵀ + b in float32: [N, I] -> [N, O]. */
  linear(name: string, x: string): string {
    const inputs = [x, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.graph.op('Gemm', inputs, { transB: { int: 1 } });
  }

  /** a·b·scale of matrices in a stack. @param o.transposeB - multiplies with bᵀ; b then has four axes */
  scaledProduct(a: string, b: string, { scale, transposeB = false }: { scale: number; transposeB?: boolean }): string {
    const { graph } = this;
    if (!graph.isPortable)
      return graph.fused('FusedMatMul', [a, b], { alpha: scale, transB: { int: transposeB ? 1 : 0 } });
    const right = transposeB ? graph.op('Transpose', [b], { perm: { ints: [0, 1, 3, 2] } }) : b;
    return graph.op('Mul', [graph.op('MatMul', [a, right]), this.scalar(scale)]);
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

  norm(name: string, x: string, epsilon: number, { hasBias = true }: { hasBias?: boolean } = {}): string {
    const bias = hasBias ? [this.weight(`${name}.bias`)] : [];
    return this.graph.op('LayerNormalization', [x, this.weight(`${name}.weight`), ...bias], {
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

  /** The value of that name, which `make` adds to the graph when it is first used. */
  #memoized(name: string, make: () => string): string {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.#values.set(name, made);
    return made;
  }
}
