import { type Attrs, setAttrs } from './attrs.js';
import { TensorFlowError } from './errors.js';
import { FreeSizes } from './free-sizes.js';
import { describe, type DType, hostArray, type HostData, hostTensor } from './host-tensor.js';
import { nativeApi, withStatus } from './library.js';
import type { Native, Output, Pointer } from './native.js';
import { opDefinition, type OpOptions } from './op-definition.js';
import { outputType, packOutputs, staticShape } from './outputs.js';
import { Variable } from './variable.js';

/** Equal constants of up to this size share one node. */
const sharedConstantBytes = 64;

/**
 * A TensorFlow graph under construction. Nodes can be added while sessions run it; a session sees them from its next run.
 *
 * @example
 * const graph = new Graph();
 * const x = graph.placeholder('float32', [2, 3]);
 * const y = graph.op('Softmax', [x]);
 */
export class Graph {
  readonly #native: Native = nativeApi();
  readonly #graph: Pointer = this.#native.TF_NewGraph();
  readonly #constants = new Map<string, Output>();
  readonly #variableDims = new Set<number>();
  readonly #freeSizes = new FreeSizes({
    place: () => hostOf(this.#device),
    op: (...node) => this.onDevice(hostOf(this.#device), () => this.op(...node)),
    constant: (...value) => this.onDevice(hostOf(this.#device), () => this.constant(...value)),
  });
  #nodeCount = 0;
  #nextName = 0;
  #device = '';

  /** Whether XLA compiles new nodes, on the device that they had when this was set; undefined: TensorFlow decides. */
  #xla: { isCompiled: boolean; device: string } | undefined;
  #closed = false;

  /** The TF_Graph*, for sessions. */
  get pointer(): Pointer {
    if (this.#closed) throw new TensorFlowError('the graph is closed');
    return this.#graph;
  }

  /** The number of nodes. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** The device that new nodes are placed on; empty when TensorFlow chooses. */
  get device(): string {
    return this.#device;
  }

  /** Whether XLA compiles new nodes, see `withXla`. */
  get isXlaCompiled(): boolean {
    return this.#xla?.isCompiled === true && this.#xla.device === this.#device;
  }

  /** A value that each run feeds; -1 in the shape stands for any size, and so does a free size. */
  placeholder(dtype: DType, shape: readonly number[], name?: string): Output {
    const free = this.#freeSizes;
    const dims = shape.map((dim) => (free.has(dim) ? -1 : dim));
    const placeholder = this.op('Placeholder', [], { dtype, shape: dims }, { name });
    if (!shape.some((dim) => free.has(dim))) return placeholder;
    free.bind(shape, placeholder);
    return this.assumeShape(placeholder, shape);
  }

  /**
   * Adds a size that is known only at run time, and that placeholders can have. Declare the variables first.
   *
   * @returns its stand-in, for the shapes of placeholders. Traces compute with it, and products of it remain free.
   */
  freeSize(): number {
    return this.#freeSizes.add(this.#variableDims);
  }

  /** A size, which may be free, as an int32 scalar in the host's memory. */
  sizeOf(dim: number): Output {
    return this.#freeSizes.scalar(dim);
  }

  /** A size, which may be free, divided by a number and rounded up, as an int32 scalar in the host's memory. */
  quotientOf(dim: number, divisor: number): Output {
    return this.#freeSizes.quotient(dim, divisor);
  }

  /** A shape, whose sizes may be free, as an int32 vector in the host's memory. */
  shapeVector(shape: readonly number[]): Output {
    return this.#freeSizes.vector(shape);
  }

  /** Whether the shape has a size that is known only at run time. */
  hasFreeSize(shape: readonly number[]): boolean {
    return shape.some((dim) => this.#freeSizes.isFree(dim));
  }

  /**
   * Declares the shape of an output that TensorFlow cannot infer, because it depends on free sizes.
   *
   * @returns `output`
   */
  assumeShape(output: Output, shape: readonly number[]): Output {
    const dims = BigInt64Array.from(shape, BigInt);
    withStatus(this.#native, (status) =>
      this.#native.TF_GraphSetTensorShape(this.pointer, output, dims, dims.length, status),
    );
    return output;
  }

  /** A value that is part of the graph. Small equal constants share one node. */
  constant(dtype: DType, shape: readonly number[], values: HostData | readonly number[]): Output {
    const data = values instanceof Array ? fromNumbers(dtype, values) : values;
    if (this.hasFreeSize(shape))
      throw new TensorFlowError('a constant cannot have a size that is known only at run time');
    const value = hostTensor(dtype, shape, data);
    if (data.byteLength > sharedConstantBytes) return this.op('Const', [], { dtype, value });
    const key = [
      this.#device,
      this.isXlaCompiled,
      dtype,
      shape.join(),
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ].join('|');
    let constant = this.#constants.get(key);
    if (!constant) this.#constants.set(key, (constant = this.op('Const', [], { dtype, value })));
    return constant;
  }

  /** A variable. Each session of this graph has its own value of it, and none until one is assigned. */
  variable(name: string, shape: readonly number[], dtype: DType = 'float32'): Variable {
    for (const dim of shape) this.#variableDims.add(dim);
    const handle = this.op('VarHandleOp', [], { dtype, shape, shared_name: name });
    return new Variable((...node) => this.op(...node), { handle, name, shape: [...shape], dtype });
  }

  /**
   * Adds a node and returns its first output. Op types, inputs and attributes are TensorFlow's.
   *
   * @param inputs - an array instead of an output where the op takes a list.
   * @example graph.op('Concat', [axis, [a, b]]);
   * graph.op('MatMul', [a, b], { transpose_b: true });
   */
  op(type: string, inputs: readonly (Output | readonly Output[])[], attrs: Attrs = {}, o: OpOptions = {}): Output {
    return { oper: this.#node(type, inputs, attrs, o), index: 0 };
  }

  /** Adds a node and returns all of its outputs. */
  ops(type: string, inputs: readonly (Output | readonly Output[])[], attrs: Attrs = {}, o: OpOptions = {}): Output[] {
    const oper = this.#node(type, inputs, attrs, o);
    return Array.from({ length: this.#native.TF_OperationNumOutputs(oper) }, (_, index) => ({ oper, index }));
  }

  /** The static shape, with -1 for sizes that are known only at run time. Throws when the rank is unknown. */
  shapeOf(output: Output): number[] {
    const shape = staticShape(this.#native, this.pointer, output);
    if (!shape) throw new TensorFlowError(`the rank of ${this.describe(output)} is known at run time only`);
    return shape;
  }

  typeOf(output: Output): DType {
    const dtype = outputType(this.#native, output);
    if (!dtype)
      throw new TensorFlowError(
        `${this.#native.TF_OperationName(output.oper)} has a type that @nautil/tensorflow does not support`,
      );
    return dtype;
  }

  /** An output as error messages show it, with name, type and shape: `MatMul_3 float32[2,5]`. */
  describe(output: Output): string {
    const shape = staticShape(this.#native, this.pointer, output);
    const suffix = output.index ? `:${output.index}` : '';
    return `${this.#native.TF_OperationName(output.oper)}${suffix} ${describe(outputType(this.#native, output), shape)}`;
  }

  /** The node of that name as error messages show it, with its type and inputs; undefined when there is none. */
  describeNode(name: string): string | undefined {
    const native = this.#native;
    const oper = native.TF_GraphOperationByName(this.pointer, name);
    if (!oper) return undefined;
    const inputs = Array.from({ length: native.TF_OperationNumInputs(oper) }, (_, index) =>
      native.TF_OperationInput({ oper, index }),
    );
    const device = native.TF_OperationDevice(oper);
    return `${native.TF_OperationOpType(oper)} (node ${name}${device && `, on ${device}`}) of ${inputs.map((input) => this.describe(input)).join(', ') || 'no inputs'}`;
  }

  /**
   * Places the nodes that `build` adds on a device such as `/device:GPU:0`.
   * The innermost of nested calls wins.
   */
  onDevice<T>(device: string, build: () => T): T {
    const outer = this.#device;
    this.#device = device;
    try {
      return build();
    } finally {
      this.#device = outer;
    }
  }

  /**
   * Decides whether XLA compiles the nodes that `build` adds on the current device. It compiles them anew for each combination of sizes,
   * when that first occurs. Nodes that are added outside of any call are compiled if they are connected to compiled ones. The innermost of
   * nested calls wins.
   */
  withXla<T>(isCompiled: boolean, build: () => T): T {
    if (isCompiled) requireStrictXla(this.#native);
    const outer = this.#xla;
    this.#xla = { isCompiled, device: this.#device };
    try {
      return build();
    } finally {
      this.#xla = outer;
    }
  }

  /** Frees the graph. TensorFlow keeps its memory until the sessions are closed too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#native.TF_DeleteGraph(this.#graph);
  }

  /** Whether XLA compiles a new node of that type. */
  #compiles(type: string): boolean {
    // On processors, constants are inputs of what is compiled. NOTE: XLA computes in advance what depends on constants alone, places the result on
    // the first processor of the machine, and then refuses to compile it together with nodes on another device.
    return this.isXlaCompiled && (type !== 'Const' || /GPU/i.test(this.#device));
  }

  #node(
    type: string,
    inputs: readonly (Output | readonly Output[])[],
    attrs: Attrs,
    { name, control = [] }: OpOptions,
  ): Pointer {
    const native = this.#native;
    const definition = opDefinition(native, this.pointer, type);
    const node = name ?? `${type.replace(/^_/, '')}_${this.#nextName++}`; // a name must not begin with _
    if (inputs.length !== definition.inputs.length) {
      throw new TensorFlowError(
        `${type} takes ${definition.inputs.length} inputs (${definition.inputs.join(', ')}), not ${inputs.length}`,
      );
    }
    const description = native.TF_NewOperation(this.#graph, type, node);
    if (this.#device) native.TF_SetDevice(description, this.#device);
    for (const input of inputs) {
      if ('oper' in input) native.TF_AddInput(description, input);
      else native.TF_AddInputList(description, packOutputs(input), input.length);
    }
    for (const { oper } of control) native.TF_AddControlInput(description, oper);
    if (this.#xla) native.TF_SetAttrBool(description, '_XlaCompile', this.#compiles(type) ? 1 : 0);
    const explain = (message: string) => {
      const given = inputs.map((input, i) => {
        const values = 'oper' in input ? this.describe(input) : `[${input.map((x) => this.describe(x)).join(', ')}]`;
        return `${definition.inputs[i]} = ${values}`;
      });
      return `${type} (node ${node}) of ${given.join(', ') || 'no inputs'} cannot be built: ${message}`;
    };
    const finish = () => withStatus(native, (status) => native.TF_FinishOperation(description, status), explain);
    try {
      setAttrs(native, description, type, attrs, definition);
    } catch (error) {
      // TensorFlow frees a description only when it is finished, even if finishing fails.
      try {
        finish();
      } catch {
        throw error;
      }
      throw error;
    }
    const oper = finish();
    this.#nodeCount++;
    return oper;
  }
}

/**
 * XLA then compiles the nodes of a new combination of sizes before they run. Otherwise TensorFlow's kernels would compute the first runs, which round
 * differently, so that a resumed training would not repeat the steps of one that was not interrupted.
 */
function requireStrictXla(native: Native): void {
  native.TF_SetXlaEnableLazyCompilation(0);
}

/** The CPU of the machine that has the device. */
export const hostOf = (device: string): string => (device ? device.replace(/GPU:\d+$/i, 'CPU:0') : device);

function fromNumbers(dtype: DType, values: readonly number[]): HostData {
  const array = hostArray(dtype);
  const data = new array(values.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.set(values.map(BigInt));
  else data.set(values);
  return data;
}
