import { deviceDescriptions } from './device-descriptions.js';
import { TensorFlowError } from './errors.js';
import type { Graph } from './graph.js';
import { describe, hostScalar, type HostTensor } from './host-tensor.js';
import { nativeApi, throwStatus, withStatus } from './library.js';
import type { Native, Output, Pointer } from './native.js';
import { fromNative, toNative } from './native-tensor.js';
import { outputType, packOutputs, staticShape } from './outputs.js';
import { encodeSessionConfig, type SessionConfig } from './session-config.js';
import type { TensorViews } from './tensor-views.js';

/** An output, usually a placeholder, and its value in a run. A number stands for a tensor of rank 0. */
export type Feed = readonly [Output, HostTensor | number];

export interface RunOptions {
  feeds?: readonly Feed[];
  /** Outputs whose values are returned. */
  fetches?: readonly Output[];
  /** Nodes to run for their effect. */
  targets?: readonly Output[];
  /** Keeps the values of `fetches` in TensorFlow's memory; absent: they are copied. */
  views?: TensorViews | undefined;
}

export interface Device {
  /** For example `/job:localhost/replica:0/task:0/device:GPU:0`. */
  readonly name: string;
  /** `CPU` or `GPU`. */
  readonly type: string;
  readonly memoryBytes: number;

  /** The card, its address and its compute capability; empty for a processor. See `deviceDescriptions`. */
  readonly description?: string | undefined;
}

/**
 * Runs a graph and holds the values of its variables. Runs are asynchronous, on TensorFlow's threads, and may overlap.
 *
 * @example
 * const session = new Session(graph);
 * const [y] = await session.run({ feeds: [[x, hostTensor('float32', [2], Float32Array.of(1, 2))]], fetches: [double] });
 * session.close();
 */
export class Session {
  readonly #native: Native = nativeApi();
  readonly #graph: Graph;
  readonly #session: Pointer;
  #running = 0;
  #closed = false;

  constructor(graph: Graph, config: SessionConfig = {}) {
    const native = this.#native;
    this.#graph = graph;
    const options = native.TF_NewSessionOptions();
    try {
      const bytes = encodeSessionConfig(config);
      if (config.target !== undefined) native.TF_SetTarget(options, config.target);
      this.#session = withStatus(native, (status) => {
        native.TF_SetConfig(options, bytes, bytes.length, status);
        throwStatus(native, status);
        return native.TF_NewSession(graph.pointer, options, status);
      });
    } finally {
      native.TF_DeleteSessionOptions(options);
    }
  }

  /**
   * Runs everything that `fetches` and `targets` depend on, and resolves to the values of `fetches` in their order. Nodes
   * run in any order that their inputs and `control` allow.
   */
  async run({ feeds = [], fetches = [], targets = [], views }: RunOptions): Promise<HostTensor[]> {
    if (this.#closed) throw new TensorFlowError('the session is closed');
    const native = this.#native;
    const sizes = new Map<number, number>();
    const inputs = feeds.map(([output, value]) => this.#checked(output, value, sizes));
    const fed: Pointer[] = [];
    const results = new BigUint64Array(fetches.length);
    const status = native.TF_NewStatus();
    this.#running++;
    try {
      for (const input of inputs) fed.push(toNative(native, input));
      const keys = packOutputs(feeds.map(([output]) => output));
      const values = fed.length ? BigUint64Array.from(fed) : null;
      const wanted = packOutputs(fetches);
      const effects = targets.length ? BigUint64Array.from(targets, ({ oper }) => oper) : null;
      await new Promise<void>((resolve, reject) => {
        // TensorFlow reads and writes these arrays until it calls back; the closure keeps them from being collected.
        const arrays = { keys, values, wanted, effects };
        native.TF_SessionRun.async(
          this.#session,
          null,
          arrays.keys,
          arrays.values,
          fed.length,
          arrays.wanted,
          results.length ? results : null,
          results.length,
          arrays.effects,
          targets.length,
          null,
          status,
          (error) => (error ? reject(error) : resolve()),
        );
      });
      throwStatus(native, status, (message) => this.#explain(message, feeds));
      if (views === undefined) return Array.from(results, (tensor) => fromNative(native, tensor));
      return Array.from(results, (tensor, i) => {
        const view = views.add(tensor);
        results[i] = 0n; // `views` deletes it
        return view;
      });
    } finally {
      for (const tensor of [...fed, ...results]) if (tensor !== 0n) native.TF_DeleteTensor(tensor);
      native.TF_DeleteStatus(status);
      this.#running--;
      this.#deleteWhenDone();
    }
  }

  /** The devices that the session can run on. */
  devices(): Device[] {
    if (this.#closed) throw new TensorFlowError('the session is closed');
    const native = this.#native;
    return withStatus(native, (status) => {
      const list = native.TF_SessionListDevices(this.#session, status);
      throwStatus(native, status);
      try {
        const descriptions = deviceDescriptions(native, list);
        return Array.from({ length: native.TF_DeviceListCount(list) }, (_, i) => {
          const name = native.TF_DeviceListName(list, i, status);
          return {
            name,
            type: native.TF_DeviceListType(list, i, status),
            memoryBytes: Number(native.TF_DeviceListMemoryBytes(list, i, status)),
            description: descriptions.get(name),
          };
        });
      } finally {
        native.TF_DeleteDeviceList(list);
      }
    });
  }

  /** Frees the session and its variables, after runs in progress have finished. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deleteWhenDone();
  }

  #deleteWhenDone(): void {
    if (!this.#closed || this.#running > 0) return;
    withStatus(this.#native, (status) => this.#native.TF_CloseSession(this.#session, status));
    withStatus(this.#native, (status) => this.#native.TF_DeleteSession(this.#session, status));
  }

  /**
   * The value as a tensor. Throws when it does not fit: TensorFlow itself crashes on some wrong shapes and accepts others.
   *
   * @param sizes - the free sizes of the feeds before this one, by stand-in; those of this feed are added
   */
  #checked(output: Output, value: HostTensor | number, sizes: Map<number, number>): HostTensor {
    const dtype = outputType(this.#native, output);
    const tensor = typeof value === 'number' ? hostScalar(dtype ?? 'float32', value) : value;
    const shape = staticShape(this.#native, this.#graph.pointer, output);
    const fits =
      !shape ||
      (shape.length === tensor.shape.length &&
        shape.every((dim, axis) => {
          const given = tensor.shape[axis]!;
          if (!this.#graph.hasFreeSize([dim])) return dim < 0 || dim === given;
          if (!sizes.has(dim)) sizes.set(dim, given);
          return sizes.get(dim) === given;
        }));
    if (!fits || tensor.dtype !== dtype) {
      throw new TensorFlowError(
        `${this.#graph.describe(output)} cannot be fed with ${describe(tensor.dtype, tensor.shape)}`,
      );
    }
    return tensor;
  }

  /** TensorFlow's message names nodes as `{{node MatMul_3}}`; adds their types and inputs, and what was fed. */
  #explain(message: string, feeds: readonly Feed[]): string {
    const names = new Set(Array.from(message.matchAll(/\{\{node ([^}\s]+)\}\}/g), (match) => match[1]!));
    const nodes = [...names].slice(0, 3).flatMap((name) => this.#graph.describeNode(name) ?? []);
    const fed = feeds.map(([output]) => this.#graph.describe(output));
    return [
      message.trim(),
      ...nodes.map((node) => `in ${node}`),
      ...(fed.length ? [`fed: ${fed.join(', ')}`] : []),
    ].join('\n  ');
  }
}
