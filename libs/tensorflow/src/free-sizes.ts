import { TensorFlowError } from './errors.js';
import type { Output } from './native.js';

/** What free sizes need of the graph that they belong to. */
interface SizeGraph {
  /** Where nodes are placed now: a node that computes a size is shared only within one place. */
  place: () => string;
  constant: (dtype: 'int32', shape: readonly number[], values: readonly number[]) => Output;
  op: (
    type: string,
    inputs: readonly (Output | readonly Output[])[],
    attrs?: Record<string, string | number>,
  ) => Output;
}

// tfjs must know every size while it traces. A stand-in is a prime, so that the factors of a product of sizes are unique. It is
// small enough that sizes with several free factors are exact in float64.
const standIns = { from: 10_007, to: 20_000 };

const isPrime = (n: number): boolean => {
  for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return false;
  return true;
};

/**
 * The sizes of a graph that are free: known only when the graph runs. A trace computes with a stand-in for each, a prime number.
 * Here such a number, or a product of them, becomes nodes that compute the size at run time.
 */
export class FreeSizes {
  readonly #graph: SizeGraph;

  /** By stand-in: the node that computes the size, once a placeholder has it. */
  readonly #sizes = new Map<number, Output | undefined>();
  readonly #computed = new Map<string, Output>();

  constructor(graph: SizeGraph) {
    this.#graph = graph;
  }

  /**
   * Adds a free size, and returns its stand-in.
   *
   * @param fixed - the fixed sizes of the graph, which a stand-in must not divide
   */
  add(fixed: Iterable<number>): number {
    const dims = [...fixed];
    for (let standIn = standIns.from; standIn < standIns.to; standIn++) {
      if (!isPrime(standIn) || this.#sizes.has(standIn) || dims.some((dim) => dim % standIn === 0)) continue;
      this.#sizes.set(standIn, undefined);
      return standIn;
    }
    throw new TensorFlowError('the graph has too many free sizes');
  }

  /** Whether the size is a stand-in. */
  has(dim: number): boolean {
    return this.#sizes.has(dim);
  }

  /** Whether the size is a stand-in or a multiple of one. */
  isFree(dim: number): boolean {
    return dim > 0 && [...this.#sizes.keys()].some((standIn) => dim % standIn === 0);
  }

  /** Takes the free sizes of a placeholder's shape from its value, unless another placeholder determines them. */
  bind(shape: readonly number[], placeholder: Output): void {
    for (const [axis, dim] of shape.entries()) {
      if (!this.has(dim) || this.#sizes.get(dim) !== undefined) continue;
      const { op, constant } = this.#graph;
      const shapeNode = op('Shape', [placeholder], { out_type: 'int32' });
      this.#sizes.set(dim, op('GatherV2', [shapeNode, constant('int32', [], [axis]), constant('int32', [], [0])]));
    }
  }

  /** A size as an int32 scalar. */
  scalar(dim: number): Output {
    return this.#memoized(`scalar ${dim}`, () => {
      const { op, constant } = this.#graph;
      let fixed = dim;
      let product: Output | undefined;
      for (const [standIn, size] of this.#sizes) {
        while (fixed > 0 && fixed % standIn === 0) {
          if (size === undefined) throw new TensorFlowError('a free size is in use, but no placeholder has it');
          fixed /= standIn;
          product = product === undefined ? size : op('Mul', [product, size]);
        }
      }
      if (product === undefined) return constant('int32', [], [dim]);
      return fixed === 1 ? product : op('Mul', [product, constant('int32', [], [fixed])]);
    });
  }

  /** A size divided by a number and rounded up, as an int32 scalar. */
  quotient(dim: number, divisor: number): Output {
    const { op, constant } = this.#graph;
    if (!this.isFree(dim) || dim % divisor === 0) return this.scalar(Math.ceil(dim / divisor));
    return this.#memoized(`quotient ${dim} ${divisor}`, () => {
      const rounded = op('AddV2', [this.scalar(dim), constant('int32', [], [divisor - 1])]);
      return op('FloorDiv', [rounded, constant('int32', [], [divisor])]);
    });
  }

  /** A shape as an int32 vector. */
  vector(shape: readonly number[]): Output {
    const { op, constant } = this.#graph;
    if (!shape.some((dim) => this.isFree(dim))) return constant('int32', [shape.length], shape);
    return this.#memoized(`vector ${shape.join()}`, () => op('Pack', [shape.map((dim) => this.scalar(dim))]));
  }

  #memoized(what: string, make: () => Output): Output {
    const key = `${what} ${this.#graph.place()}`;
    const known = this.#computed.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#computed.set(key, made);
    return made;
  }
}
