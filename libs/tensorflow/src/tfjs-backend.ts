import { createRequire } from 'node:module';
import type * as tfjsTypes from '@tensorflow/tfjs';
import { TensorFlowError } from './errors.js';
import type { Graph } from './graph.js';
import { dtypeCodes, dtypeOf, type DType } from './host-tensor.js';
import { nativeApi } from './library.js';
import type { Output } from './native.js';
import { opDefinition } from './op-definition.js';
import type { Attr } from './attrs.js';
import { tracedKernels } from './traced-kernels.js';

/** The namespace of tfjs. */
export type Tf = typeof tfjsTypes;
export type Tensor = tfjsTypes.Tensor;

/** What NodeJSKernelBackend knows of a tensor that its binding made. */
interface TensorMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

interface KernelAttr {
  name: string;
  type: number;
  value: unknown;
}

/** The parts of @tensorflow/tfjs-node's backend that are used here; its own types would pull in its native addon's. */
export interface NodeBackend extends tfjsTypes.KernelBackend {
  executeSingleOutput(type: string, attrs: KernelAttr[], inputs: tfjsTypes.TensorInfo[]): Tensor;
  createOutputTensor(metadata: TensorMetadata): Tensor;
  getInputTensorIds(tensors: tfjsTypes.TensorInfo[]): number[];
}

// The numbers that tfjs-node's kernels read from their binding: TF_DataType and TF_AttrType.
const constants = {
  TF_FLOAT: dtypeCodes.float32,
  TF_INT32: dtypeCodes.int32,
  TF_INT64: dtypeCodes.int64,
  TF_BOOL: dtypeCodes.bool,
  TF_COMPLEX64: dtypeCodes.complex64,
  TF_STRING: dtypeCodes.string,
  TF_RESOURCE: dtypeCodes.resource,
  TF_UINT8: dtypeCodes.uint8,
  TF_ATTR_STRING: 0,
  TF_ATTR_INT: 1,
  TF_ATTR_FLOAT: 2,
  TF_ATTR_BOOL: 3,
  TF_ATTR_TYPE: 4,
  TF_ATTR_SHAPE: 5,
  TF_ATTR_RESOURCE: 11,
};

/**
 * What tfjs-node's backend takes for its native addon. In place of executing a kernel's ops on tensors, it adds
 * them as nodes to the graph that is being traced, so that a tfjs function is compiled by calling it.
 */
class TracingBinding {
  graph: Graph | undefined;
  readonly #outputs = new Map<number, { graph: Graph; output: Output }>();
  #nextId = 1;

  constructor() {
    Object.assign(this, constants);
  }

  isUsingGpuDevice(): boolean {
    return false;
  }

  executeOp(type: string, attrs: KernelAttr[], ids: number[], count: number): TensorMetadata[] {
    const graph = this.#current(type);
    const { inferred, inputs: names, listInput } = opDefinition(nativeApi(), graph.pointer, type);
    // What follows from the inputs is left to TensorFlow: tfjs takes bfloat16 for float32, as it knows no other float.
    const given = attrs
      .filter(({ name }) => !inferred.has(name))
      .map(({ name, type, value }) => [name, attrOf(type, value)] as const);
    const inputs: (Output | Output[])[] = ids.map((id) => this.outputOf(graph, id));
    // tfjs-node passes lists flat: ConcatV2's values and then its axis.
    if (listInput >= 0) {
      const list = inputs.splice(listInput, inputs.length - names.length + 1) as Output[];
      inputs.splice(listInput, 0, list);
    }
    const outputs = graph.ops(type, inputs, Object.fromEntries(given));
    return outputs.slice(0, count).map((output) => this.register(graph, output));
  }

  createTensor(shape: number[], dtype: number, values: ArrayLike<number> | ArrayLike<bigint>): number {
    const graph = this.#current('a constant');
    const name = dtypeOf(dtype);
    if (name !== 'float32' && name !== 'int32' && name !== 'bool')
      throw new TensorFlowError(`a traced constant can't be of type ${name ?? dtype}`);
    return this.register(graph, graph.constant(name, shape, Array.from(values, Number))).id;
  }

  deleteTensor(id: number): void {
    this.#outputs.delete(id);
  }

  tensorDataSync(): never {
    throw new TensorFlowError('a traced tensor has no value before its graph is run', {
      hint: 'inside graph.trace, dataSync(), arraySync() and what depends on values can not be used',
    });
  }

  register(graph: Graph, output: Output): TensorMetadata {
    const id = this.#nextId++;
    const dtype = graph.typeOf(output);
    const shape = graph.shapeOf(output);
    if (shape.some((dim) => dim < 0)) {
      throw new TensorFlowError(
        `tfjs needs sizes that are known before a run, and ${graph.describe(output)} has others`,
      );
    }
    this.#outputs.set(id, { graph, output });
    return { id, shape, dtype: dtypeCodes[tfjsType(dtype)] };
  }

  outputOf(graph: Graph, id: number): Output {
    const found = this.#outputs.get(id);
    if (!found) throw new TensorFlowError('this traced tensor was released: it lives until the end of its trace');
    if (found.graph !== graph) throw new TensorFlowError('this tensor was traced into another graph');
    return found.output;
  }

  #current(what: string): Graph {
    if (!this.graph)
      throw new TensorFlowError(`tfjs can't add ${what}: no graph is being traced`, {
        hint: 'call it inside graph.trace',
      });
    return this.graph;
  }
}

const tfjsType = (dtype: DType): DType => (dtype === 'bfloat16' || dtype === 'float16' ? 'float32' : dtype);

function attrOf(type: number, value: unknown): Attr {
  if (type !== constants.TF_ATTR_TYPE) return value as Attr;
  const dtype = dtypeOf(value as number);
  if (!dtype) throw new TensorFlowError(`TensorFlow's type ${String(value)} can't be traced`);
  return dtype;
}

interface Tracer {
  tf: Tf;
  backend: NodeBackend;
  binding: TracingBinding;
}

const backendName = 'tensorflow'; // NOTE: tfjs-node's kernels look their backend up by this name.
let opened: Tracer | undefined;

/** Loads tfjs with the backend that traces; takes some 0.4 s the first time. */
function tracer(): Tracer {
  if (opened) return opened;
  // tfjs-node's modules are CommonJS and require tfjs: only the same require gives the same engine.
  const require = createRequire(import.meta.url);
  const tf = require('@tensorflow/tfjs') as Tf;
  const { NodeJSKernelBackend } = require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js') as {
    NodeJSKernelBackend: new (binding: TracingBinding, packageName: string) => NodeBackend;
  };
  const binding = new TracingBinding();
  const backend = new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node');
  tf.registerBackend(backendName, () => backend);
  require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
  for (const kernel of tracedKernels(tf, backendName)) {
    tf.unregisterKernel(kernel.kernelName, backendName);
    tf.registerKernel({ ...kernel, backendName });
  }
  return (opened = { tf, backend, binding });
}

/** The engine of `graph.trace`. */
export function traceInto<T>(graph: Graph, build: (tf: Tf) => T): T {
  const { tf, binding } = tracer();
  if (tf.getBackend() !== backendName) tf.setBackend(backendName);
  const outer = binding.graph;
  binding.graph = graph;
  let built: { result: T } | undefined;
  try {
    // tidy would keep tensors that are returned, so nothing is.
    tf.tidy(() => {
      built = { result: build(tf) };
    });
  } finally {
    binding.graph = outer;
  }
  return built!.result;
}

/** The engine of `graph.tensor`. */
export function tensorOf(graph: Graph, output: Output): Tensor {
  const { backend, binding } = tracer();
  if (binding.graph !== graph)
    throw new TensorFlowError('graph.tensor is for use inside graph.trace, of the same graph');
  return backend.createOutputTensor(binding.register(graph, output));
}

/** The engine of `graph.output`. */
export function outputOf(graph: Graph, tensor: Tensor): Output {
  const { backend, binding } = tracer();
  if (binding.graph !== graph)
    throw new TensorFlowError('graph.output is for use inside graph.trace, of the same graph');
  return binding.outputOf(graph, backend.getInputTensorIds([tensor])[0]!);
}

/** tfjs itself, for functions that are called inside `graph.trace` and don't get it passed. */
export const tfjs = (): Tf => tracer().tf;

/** The graph that is being traced, and tfjs; for ops that tfjs lacks. Throws outside of `graph.trace`. */
export function currentTrace(what: string): { graph: Graph; tf: Tf } {
  const { tf, binding } = tracer();
  if (!binding.graph) throw new TensorFlowError(`${what} is for use inside graph.trace`);
  return { graph: binding.graph, tf };
}
