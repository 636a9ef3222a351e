import type { Tensor } from '@tensorflow/tfjs';
import { setAttrs, type Attrs } from './attrs.js';
import { TensorFlowError } from './errors.js';
import { describe, hostArray, hostTensor, type DType, type HostData } from './host-tensor.js';
import { nativeApi, withStatus } from './library.js';
import type { Native, Output, Pointer } from './native.js';
import { opDefinition } from './op-definition.js';
import { outputType, packOutputs, staticShape } from './outputs.js';
import { outputOf, tensorOf, traceInto, type Tf } from './tfjs-backend.js';
import { Variable } from './variable.js';

export interface OpOptions {
  /** The node's name, unique in its graph; default: the op's type and a number. */
  name?: string | undefined;
  /** Nodes that must have run before this one. */
  control?: readonly Output[];
}

const sharedConstantBytes = 64;

/**
 * A TensorFlow graph under construction. Nodes can be added while sessions run it: they see them at their next run.
 *
 * @example
 * const graph = new Graph();
 * const x = graph.placeholder('float32', [2, 3]);
 * const y = graph.trace((tf) => graph.output(tf.softmax(graph.tensor(x))));
 */
export class Graph {
  readonly #native: Native = nativeApi();
  readonly #graph: Pointer = this.#native.TF_NewGraph();
  readonly #constants = new Map<string, Output>();
  /** How far `#newNodes` has read; TensorFlow's own cursor. */
  readonly #cursor = new BigUint64Array(1);
  #nodeCount = 0;
  #nextName = 0;
  #device = '';
  #closed = false;

  /** TF_Graph*, for sessions. */
  get pointer(): Pointer {
    if (this.#closed) throw new TensorFlowError('the graph is closed');
    return this.#graph;
  }

  /** How many nodes there are, those of gradients included. */
  get nodeCount(): number {
    this.#newNodes();
    return this.#nodeCount;
  }

  /** The device of the nodes that are being added; empty when TensorFlow places them. */
  get device(): string {
    return this.#device;
  }

  /** A value that each run is fed with; -1 in the shape stands for any size. */
  placeholder(dtype: DType, shape: readonly number[], name?: string): Output {
    return this.op('Placeholder', [], { dtype, shape }, { name });
  }

  /** A value that is part of the graph; small equal ones are one node. */
  constant(dtype: DType, shape: readonly number[], values: HostData | readonly number[]): Output {
    const data = values instanceof Array ? fromNumbers(dtype, values) : values;
    const value = hostTensor(dtype, shape, data);
    if (data.byteLength > sharedConstantBytes) return this.op('Const', [], { dtype, value });
    const key = [
      this.#device,
      dtype,
      shape.join(),
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ].join('|');
    let constant = this.#constants.get(key);
    if (!constant) this.#constants.set(key, (constant = this.op('Const', [], { dtype, value })));
    return constant;
  }

  /** A variable, which lives in each session of this graph; it has no value until something is assigned. */
  variable(name: string, shape: readonly number[], dtype: DType = 'float32'): Variable {
    const handle = this.op('VarHandleOp', [], { dtype, shape, shared_name: name });
    return new Variable(this, { handle, name, shape: [...shape], dtype });
  }

  /**
   * Adds a node and returns its first output. The op's type, inputs and attributes are TensorFlow's.
   *
   * @param inputs - an array in place of an output where the op takes a list.
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

  /**
   * Adds the nodes that compute the derivatives of the sum of `y` by each of `xs`, in their shapes.
   * Throws when an op between has no gradient, or `y` does not depend on one of `xs`.
   */
  gradients(y: Output, xs: readonly Output[]): Output[] {
    const native = this.#native;
    const results = new BigUint64Array(2 * xs.length);
    this.#newNodes();
    withStatus(
      native,
      (status) =>
        native.TF_AddGradients(this.pointer, packOutputs([y]), 1, packOutputs(xs), xs.length, null, status, results),
      (message) => `no gradients of ${this.describe(y)}: ${message}`,
    );
    // TensorFlow places these nodes by itself, away from the replica that they belong to.
    const added = this.#newNodes();
    if (this.#device) for (const node of added) native.TF_SetRequestedDevice(this.#graph, node, this.#device);
    return xs.map((x, i) => {
      const oper = results[2 * i]!;
      if (oper === 0n)
        throw new TensorFlowError(
          `${this.describe(y)} does not depend on ${this.describe(x)}, so it has no gradient by it`,
        );
      return { oper, index: Number(BigInt.asIntN(32, results[2 * i + 1]!)) };
    });
  }

  /** The static shape, -1 for sizes that only a run can tell; throws when the rank is unknown. */
  shapeOf(output: Output): number[] {
    const shape = staticShape(this.#native, this.pointer, output);
    if (!shape) throw new TensorFlowError(`the rank of ${this.describe(output)} is known at run time only`);
    return shape;
  }

  typeOf(output: Output): DType {
    const dtype = outputType(this.#native, output);
    if (!dtype)
      throw new TensorFlowError(`${this.#native.TF_OperationName(output.oper)} has a type that this lib does not know`);
    return dtype;
  }

  /** An output as error messages show it: name, type and shape, as in `MatMul_3 float32[2,5]`. */
  describe(output: Output): string {
    const shape = staticShape(this.#native, this.pointer, output);
    const suffix = output.index ? `:${output.index}` : '';
    return `${this.#native.TF_OperationName(output.oper)}${suffix} ${describe(outputType(this.#native, output), shape)}`;
  }

  /** A node, found by its name, with its type and inputs, as error messages show it; undefined when there is none. */
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
   * Runs `build` with tfjs recording into this graph: its ops become nodes. Return outputs (`graph.output(tensor)`), not
   * tensors: every tensor is released at the end. Traces of other graphs may be nested in it.
   */
  trace<T>(build: (tf: Tf) => T): T {
    return traceInto(this, build);
  }

  /** A node's output as a tensor of the trace that is going on. */
  tensor(output: Output): Tensor {
    return tensorOf(this, output);
  }

  /** What a traced tensor stands for. */
  output(tensor: Tensor): Output {
    return outputOf(this, tensor);
  }

  /**
   * Adds what `build` adds to a device, as in `/device:GPU:0` or `/job:worker/task:1/device:CPU:0`; gradients too.
   * Inside another `onDevice`, the inner one counts.
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

  /** Frees the graph once its sessions are closed too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#native.TF_DeleteGraph(this.#graph);
  }

  #node(
    type: string,
    inputs: readonly (Output | readonly Output[])[],
    attrs: Attrs,
    { name, control = [] }: OpOptions,
  ): Pointer {
    const native = this.#native;
    const definition = opDefinition(native, this.pointer, type);
    const node = name ?? `${type}_${this.#nextName++}`;
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
    const explain = (message: string) => {
      const given = inputs.map((input, i) => {
        const values = 'oper' in input ? this.describe(input) : `[${input.map((x) => this.describe(x)).join(', ')}]`;
        return `${definition.inputs[i]} = ${values}`;
      });
      return `${type} (node ${node}) of ${given.join(', ') || 'no inputs'} can't be built: ${message}`;
    };
    const finish = () => withStatus(native, (status) => native.TF_FinishOperation(description, status), explain);
    try {
      setAttrs(native, description, type, attrs, definition);
    } catch (error) {
      // A description can be freed only by finishing it, whatever comes of that.
      try {
        finish();
      } catch {
        throw error;
      }
      throw error;
    }
    return finish();
  }

  /** The nodes added since the last call. */
  #newNodes(): Pointer[] {
    const nodes: Pointer[] = [];
    for (let node; (node = this.#native.TF_GraphNextOperation(this.pointer, this.#cursor));) nodes.push(node);
    // NOTE: at the end the cursor stands behind the last node, and the next call would step over the first new one.
    this.#cursor[0]!--;
    this.#nodeCount += nodes.length;
    return nodes;
  }
}

function fromNumbers(dtype: DType, values: readonly number[]): HostData {
  const array = hostArray(dtype);
  const data = new array(values.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.set(values.map(BigInt));
  else data.set(values);
  return data;
}
