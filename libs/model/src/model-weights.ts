import {
  type Feed,
  Graph,
  hostTensor,
  type Output,
  type RunOptions,
  Session,
  type TensorViews,
  type Variable,
} from '@nautil/tensorflow';
import { NonFiniteWeight } from './errors.js';
import type { WeightSpec } from './weights.js';

/** A named float32 array in torch's layout. */
export interface NamedArray {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

export interface ModelWeightsOptions {
  /** Every weight of the model, in file order. */
  specs: readonly WeightSpec[];

  /** TensorFlow's name, such as `/device:GPU:0`; default: TensorFlow chooses. */
  device?: string | undefined;
  intraOpThreads?: number | undefined;
}

/** Variables are set in runs of about this size. */
const bytesPerRun = 64 * 2 ** 20;

/**
 * A model's weights as variables of a TensorFlow session, together with the graph that computes on them. Weights that
 * nothing computes with (`used: false`, the pooler) have no variable: they are only passed on from file to file.
 */
export class ModelWeights {
  readonly graph = new Graph();

  /** Every weight, in file order. */
  readonly specs: readonly WeightSpec[];

  /** The weights that have a variable, in file order. */
  readonly used: readonly WeightSpec[];
  readonly #device: string | undefined;
  readonly #session: Session;
  readonly #variables = new Map<string, Variable>();
  readonly #reads = new Map<Variable, Output>();
  readonly #assignments = new Map<Variable, { value: Output; assign: Output }>();
  readonly #unused = new Map<string, Float32Array>();

  constructor({ specs, device, intraOpThreads = 0 }: ModelWeightsOptions) {
    this.specs = specs;
    this.used = specs.filter((spec) => spec.used);
    this.#device = device;
    for (const { name, shape } of this.used) this.#variables.set(name, this.declare(name, shape));
    this.#session = new Session(this.graph, { intraOpThreads });
  }

  /** Number of values that training changes. */
  get trainableParameters(): number {
    return this.used.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * Sets every weight.
   *
   * @param read - returns the value by name. For weights that are not used, undefined means that the file lacks it.
   * @param file - where the values come from, for messages
   * @throws NonFiniteWeight
   */
  async load(read: (name: string) => Promise<Float32Array | undefined>, file: string): Promise<void> {
    for (const spec of this.specs.filter(({ used }) => !used)) {
      const value = await read(spec.name);
      if (value === undefined) continue;
      requireFinite(file, spec.name, value);
      this.#unused.set(spec.name, value);
    }
    await this.assignEach(
      this.used.map(({ name }) => this.variable(name)),
      async ({ name }) => {
        const value = await read(name);
        if (value === undefined) throw new Error(`no value for the weight ${name}`);
        requireFinite(file, name, value);
        return value;
      },
    );
  }

  /** The current values of all weights, in file order: copies, or with `views` TensorFlow's own memory. */
  async readAll(views?: TensorViews): Promise<NamedArray[]> {
    const live = await this.values([...this.#variables.values()], views);
    return this.specs.flatMap(({ name, shape }) => {
      const data = live.get(name) ?? this.#unused.get(name);
      return data === undefined ? [] : [{ name, shape, data }];
    });
  }

  /** The variable of a used weight. */
  variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (variable === undefined) throw new Error(`${name} is not a weight that this model computes with`);
    return variable;
  }

  /** Adds a variable to the graph, beside the weights. */
  declare(name: string, shape: readonly number[]): Variable {
    return this.onDevice(() => this.graph.variable(name, shape));
  }

  /** The node that reads a variable. Every caller shares it, so that the graph does not grow with every checkpoint. */
  readOf(variable: Variable): Output {
    return memoized(this.#reads, variable, () => this.onDevice(() => variable.read()));
  }

  /** Sets variables to the values that `read` returns, of which at most 64 MiB and one value more are in memory. */
  async assignEach(variables: readonly Variable[], read: (variable: Variable) => Promise<Float32Array>): Promise<void> {
    let waiting: { feed: Feed; assign: Output }[] = [];
    let bytes = 0;
    // Each run of other nodes costs TensorFlow milliseconds, so that one run for each variable would take a second.
    const flush = async (): Promise<void> => {
      await this.run({ feeds: waiting.map(({ feed }) => feed), targets: waiting.map(({ assign }) => assign) });
      [waiting, bytes] = [[], 0];
    };
    for (const variable of variables) {
      const { value, assign } = memoized(this.#assignments, variable, () =>
        this.onDevice(() => {
          const placeholder = this.graph.placeholder('float32', variable.shape);
          return { value: placeholder, assign: variable.assign(placeholder) };
        }),
      );
      const data = await read(variable);
      waiting.push({ feed: [value, hostTensor('float32', variable.shape, data)], assign });
      bytes += data.byteLength;
      if (bytes > bytesPerRun) await flush();
    }
    if (waiting.length > 0) await flush();
  }

  /** Sets each variable to a constant. */
  async fill(constants: ReadonlyMap<Variable, number>): Promise<void> {
    if (constants.size === 0) return;
    // The constants are fed: TensorFlow would compute what depends on no feed in advance, and keep the result beside the variables.
    const inputs = new Map<number, Output>();
    const targets = this.onDevice(() =>
      Array.from(constants, ([variable, value]) => {
        const shape = this.graph.constant('int32', [variable.shape.length], variable.shape);
        const input = memoized(inputs, value, () => this.graph.placeholder('float32', []));
        return variable.assign(this.graph.op('Fill', [shape, input]));
      }),
    );
    await this.run({ feeds: Array.from(inputs, ([value, input]): Feed => [input, value]), targets });
  }

  /** The current values of variables, by variable name: copies, or with `views` TensorFlow's own memory. */
  async values(variables: readonly Variable[], views?: TensorViews): Promise<Map<string, Float32Array>> {
    if (variables.length === 0) return new Map();
    const values = await this.run({ fetches: variables.map((variable) => this.readOf(variable)), views });
    return new Map(variables.map(({ name }, i) => [name, values[i]!]));
  }

  /** Runs the graph and returns the fetched float32 values. */
  async run(o: RunOptions): Promise<Float32Array[]> {
    const values = await this.#session.run(o);
    return values.map(({ data }) => data as Float32Array);
  }

  /** Calls `build` so that the nodes it adds are placed on the model's device. */
  onDevice<T>(build: () => T): T {
    return this.#device === undefined ? build() : this.graph.onDevice(this.#device, build);
  }

  /** Frees the session with its variables, and the graph. */
  close(): void {
    this.#session.close();
    this.graph.close();
  }
}

/** @throws NonFiniteWeight */
export function requireFinite(file: string, name: string, values: Float32Array): void {
  if (isAllFinite(values)) return;
  const index = values.findIndex((value) => !Number.isFinite(value));
  throw new NonFiniteWeight(file, name, values[index] ?? NaN, index);
}

/** NOTE: `for … of` is ten times slower, and `values.every(Number.isFinite)` more so: a second for the weights of a large model. */
export function isAllFinite(values: Float32Array): boolean {
  const { length } = values;
  let zero = 0;
  for (let i = 0; i < length; i++) zero += (values[i] ?? 0) * 0; // NaN for a value that is not finite
  return zero === 0;
}

/** The entry of `map` for `key`, made by `make` on first use. */
function memoized<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);
