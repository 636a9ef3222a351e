import { createRequire } from 'node:module';
import type { KernelBackend } from '@tensorflow/tfjs';
import type { Attr } from './attrs.js';
import { TensorFlowError } from './errors.js';
import type { Graph } from './graph.js';
import { type DType, dtypeCodes, dtypeOf } from './host-tensor.js';
import { nativeApi } from './library.js';
import type { Output } from './native.js';
import { opDefinition } from './op-definition.js';
import type { KernelAttr, NodeBackend, TensorMetadata, Tf } from './tfjs-types.js';
import { tracedKernels, type TracedKernelsOptions } from './traced-kernels.js';

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
 * Stands in for the native addon of tfjs-node's backend. Instead of executing a kernel's ops on tensors, it adds them as
 * nodes to the graph that is being traced, so calling a tfjs function compiles it.
 */
class TracingBinding {
  /** The graph that is being traced. */
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
    const graph = this.current(type);
    const { inferred, inputs: names, listInput } = opDefinition(nativeApi(), graph.pointer, type);
    // TensorFlow infers these attributes from the inputs. tfjs would get them wrong: it presents bfloat16 as float32.
    const given = attrs
      .filter(({ name }) => !inferred.has(name))
      .map((attr) => [attr.name, attrOf(attr.type, attr.value)] as const);
    const inputs: (Output | Output[])[] = ids.map((id) => this.outputOf(graph, id));
    // tfjs-node passes lists flat: ConcatV2 gets its values, then its axis.
    if (listInput >= 0) {
      const list = inputs.splice(listInput, inputs.length - names.length + 1) as Output[];
      inputs.splice(listInput, 0, list);
    }
    const outputs = graph.ops(type, inputs, Object.fromEntries(given));
    return outputs.slice(0, count).map((output) => this.register(graph, output));
  }

  createTensor(shape: number[], dtype: number, values: ArrayLike<number> | ArrayLike<bigint>): number {
    const graph = this.current('a constant');
    const name = dtypeOf(dtype);
    if (name !== 'float32' && name !== 'int32' && name !== 'bool')
      throw new TensorFlowError(`a traced constant cannot be of type ${name ?? dtype}`);
    return this.register(graph, graph.constant(name, shape, Array.from(values, Number))).id;
  }

  deleteTensor(id: number): void {
    this.#outputs.delete(id);
  }

  tensorDataSync(): never {
    throw new TensorFlowError('a traced tensor has no value until its graph is run', {
      hint: 'dataSync(), arraySync() and code that depends on values cannot be used inside trace()',
    });
  }

  register(graph: Graph, output: Output): TensorMetadata {
    const id = this.#nextId++;
    const dtype = graph.typeOf(output);
    const shape = graph.shapeOf(output);
    if (shape.some((dim) => dim < 0)) {
      throw new TensorFlowError(
        `tfjs needs shapes that are known before a run; ${graph.describe(output)} has an unknown size`,
      );
    }
    this.#outputs.set(id, { graph, output });
    return { id, shape, dtype: dtypeCodes[tfjsType(dtype)] };
  }

  outputOf(graph: Graph, id: number): Output {
    const found = this.#outputs.get(id);
    if (!found) throw new TensorFlowError('this traced tensor was released when its trace ended');
    if (found.graph !== graph) throw new TensorFlowError('this tensor was traced into another graph');
    return found.output;
  }

  /** The graph that is being traced, to which `what` is added. */
  current(what: string): Graph {
    if (!this.graph)
      throw new TensorFlowError(`tfjs cannot add ${what}: no graph is being traced`, {
        hint: 'call it inside trace()',
      });
    return this.graph;
  }
}

const tfjsType = (dtype: DType): DType => (dtype === 'bfloat16' || dtype === 'float16' ? 'float32' : dtype);

function attrOf(type: number, value: unknown): Attr {
  if (type !== constants.TF_ATTR_TYPE) return value as Attr;
  const dtype = dtypeOf(value as number);
  if (!dtype) throw new TensorFlowError(`TensorFlow's type ${String(value)} cannot be traced`);
  return dtype;
}

/** The exports of tfjs-node.cjs. */
interface TfjsNode {
  tf: Tf;
  NodeJSKernelBackend: new (binding: TracingBinding, packageName: string) => NodeBackend & KernelBackend;
  registerAllKernels: () => void;
}

/** tfjs, connected to a binding that records into graphs. */
export interface Tracer {
  tf: Tf;
  backend: NodeBackend;
  binding: TracingBinding;
}

/** NOTE: tfjs-node's kernels look their backend up by this name. */
export const backendName = 'tensorflow';
let opened: Tracer | undefined;

/** Loads tfjs with the tracing backend. The first call takes about 0.4 s. */
export function tracer(): Tracer {
  if (opened) return opened;
  const require = createRequire(import.meta.url);
  const { tf, NodeJSKernelBackend, registerAllKernels } = require('./tfjs-node.cjs') as TfjsNode;
  const binding = new TracingBinding();
  const backend = new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node');
  tf.registerBackend(backendName, () => backend);
  registerAllKernels();
  const sized: TracedKernelsOptions['sized'] = (type, x, vectors, shape) => {
    const graph = binding.current(type);
    const [id] = backend.getInputTensorIds([x]);
    const inputs = [binding.outputOf(graph, id!), ...vectors.map((vector) => graph.shapeVector(vector))];
    return backend.createOutputTensor(binding.register(graph, graph.assumeShape(graph.op(type, inputs), shape)));
  };
  for (const kernel of tracedKernels({ tf, backendName, sized })) {
    tf.unregisterKernel(kernel.kernelName, backendName);
    tf.registerKernel({ ...kernel, backendName });
  }
  return (opened = { tf, backend, binding });
}
