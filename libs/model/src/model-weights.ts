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
import type { WeightSpec } from './weight-spec.js';

/** A named float32 array in torch's layout. */
export interface NamedArray {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

export interface ModelWeightsOptions {
  /** Every weight of the model, in file order. */
  specs: readonly WeightSpec[];

  /** TensorFlow's names of the devices that get a copy of the weights, such as `/device:GPU:0`; default: one that TensorFlow chooses. */
  devices?: readonly string[] | undefined;
  intraOpThreads?: number | undefined;

  /** The server of this process's cluster, when the devices of several processes train together. */
  cluster?: { target: string; collectiveLeader: string } | undefined;
}

/** A variable with a copy on each device. All copies have the same value. */
export interface ReplicatedVariable {
  readonly name: string;
  readonly shape: readonly number[];

  /** In the order of the devices. */
  readonly copies: readonly Variable[];
}

/** Variables are set in runs of about this size. */
const bytesPerRun = 64 * 2 ** 20;

/**
 * A model's weights as variables of a TensorFlow session, together with the graph that computes on them. Each device has a copy
 * of them. Weights that nothing computes with (`used: false`, the pooler) have no variable: they are only passed on from file to
 * file.
 */
export class ModelWeights {
  readonly graph = new Graph();

  /** Every weight, in file order. */
  readonly specs: readonly WeightSpec[];

  /** The weights that have a variable, in file order. */
  readonly used: readonly WeightSpec[];

  /** TensorFlow's names of the devices; an empty name stands for one that TensorFlow chooses. */
  readonly devices: readonly string[];
  readonly #session: Session;
  readonly #variables = new Map<string, ReplicatedVariable>();
  readonly #reads = new Map<Variable, Output>();
  readonly #assignments = new Map<ReplicatedVariable, { value: Output; assigns: Output[] }>();
  readonly #unused = new Map<string, Float32Array>();

  constructor({ specs, devices = [''], intraOpThreads = 0, cluster }: ModelWeightsOptions) {
    this.specs = specs;
    this.used = specs.filter((spec) => spec.used);
    this.devices = devices;
    for (const { name, shape } of this.used) this.#variables.set(name, this.declare(name, shape));
    this.#session = new Session(this.graph, { intraOpThreads, ...sessionDevices(devices), ...cluster });
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
  variable(name: string): ReplicatedVariable {
    const variable = this.#variables.get(name);
    if (variable === undefined) throw new Error(`${name} is not a weight that this model computes with`);
    return variable;
  }

  /** Adds a variable to the graph, beside the weights. */
  declare(name: string, shape: readonly number[]): ReplicatedVariable {
    const copies = this.onEachDevice((index) => this.graph.variable(index === 0 ? name : `${name} (${index})`, shape));
    return { name, shape, copies };
  }

  /** The node that reads the copy of a variable on the device of that index. Callers share it, so that checkpoints do not add to the graph. */
  readOf({ copies }: ReplicatedVariable, index: number): Output {
    const copy = copies[index]!;
    // XLA reads no variables: it would hold them while it computes.
    return memoized(this.#reads, copy, () => this.onDevice(index, () => this.graph.withXla(false, () => copy.read())));
  }

  /** Sets variables to the values that `read` returns, of which at most 64 MiB and one value more are in memory. */
  async assignEach(
    variables: readonly ReplicatedVariable[],
    read: (variable: ReplicatedVariable) => Promise<Float32Array>,
  ): Promise<void> {
    let waiting: { feed: Feed; assigns: Output[] }[] = [];
    let bytes = 0;
    // Each run of other nodes costs TensorFlow milliseconds, so that one run for each variable would take a second.
    const flush = async (): Promise<void> => {
      await this.run({ feeds: waiting.map(({ feed }) => feed), targets: waiting.flatMap(({ assigns }) => assigns) });
      [waiting, bytes] = [[], 0];
    };
    for (const variable of variables) {
      const { value, assigns } = memoized(this.#assignments, variable, () => {
        const placeholder = this.onDevice(0, () => this.graph.placeholder('float32', variable.shape));
        return {
          value: placeholder,
          assigns: this.onEachDevice((index) => variable.copies[index]!.assign(placeholder)),
        };
      });
      const data = await read(variable);
      waiting.push({ feed: [value, hostTensor('float32', variable.shape, data)], assigns });
      bytes += data.byteLength;
      if (bytes > bytesPerRun) await flush();
    }
    if (waiting.length > 0) await flush();
  }

  /** Sets each variable to a constant. */
  async fill(constants: ReadonlyMap<ReplicatedVariable, number>): Promise<void> {
    if (constants.size === 0) return;
    // The constants are fed: TensorFlow would compute what depends on no feed in advance, and keep the result beside the variables.
    const inputs = new Map<number, Output>();
    const targets = this.onEachDevice((index) =>
      Array.from(constants, ([{ shape, copies }, value]) => {
        const sizes = this.graph.constant('int32', [shape.length], shape);
        const input = memoized(inputs, value, () => this.graph.placeholder('float32', []));
        return copies[index]!.assign(this.graph.op('Fill', [sizes, input]));
      }),
    );
    await this.run({ feeds: Array.from(inputs, ([value, input]): Feed => [input, value]), targets: targets.flat() });
  }

  /** The current values of variables, by variable name: copies, or with `views` TensorFlow's own memory. */
  async values(variables: readonly ReplicatedVariable[], views?: TensorViews): Promise<Map<string, Float32Array>> {
    if (variables.length === 0) return new Map();
    const values = await this.run({ fetches: variables.map((variable) => this.readOf(variable, 0)), views });
    return new Map(variables.map(({ name }, i) => [name, values[i]!]));
  }

  /** Runs the graph and returns the fetched float32 values. */
  async run(o: RunOptions): Promise<Float32Array[]> {
    const values = await this.#session.run(o);
    return values.map(({ data }) => data as Float32Array);
  }

  /** Calls `build` so that the nodes it adds are placed on the device of that index. */
  onDevice<T>(index: number, build: () => T): T {
    return this.graph.onDevice(this.devices[index]!, build);
  }

  /** Calls `build` once for each device. */
  onEachDevice<T>(build: (index: number) => T): T[] {
    return this.devices.map((_, index) => this.onDevice(index, () => build(index)));
  }

  /** Frees the session with its variables, and the graph. */
  close(): void {
    this.#session.close();
    this.graph.close();
  }
}

/** The settings of a session that has the devices. */
export const sessionDevices = (devices: readonly string[]): { cpuDevices: number; nccl: boolean } => ({
  cpuDevices: Math.max(1, devices.filter((device) => /CPU:\d+$/.test(device)).length),
  nccl: devices.some((device) => /GPU:\d+$/.test(device)),
});

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
