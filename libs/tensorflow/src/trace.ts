import { TensorFlowError } from './errors.js';
import type { Graph } from './graph.js';
import type { Output } from './native.js';
import { backendName, tracer } from './tfjs-backend.js';
import type { Tensor, Tf } from './tfjs-types.js';

/** tfjs recording into a graph, and the conversions between the graph's outputs and tfjs's tensors. */
export interface Trace {
  readonly graph: Graph;
  readonly tf: Tf;
  /** An output of the graph as a tensor that tfjs functions take. */
  readonly tensor: (output: Output) => Tensor;
  /** The output that a traced tensor stands for. */
  readonly output: (tensor: Tensor) => Output;
}

/**
 * Calls `build` with tfjs recording into `graph`: each kernel adds a node. Return outputs, not tensors, because all
 * tensors are released when `build` returns. Traces of different graphs may be nested.
 *
 * @example
 * const y = trace(graph, ({ tf, tensor, output }) => output(tf.softmax(tensor(x))));
 */
export function trace<T>(graph: Graph, build: (trace: Trace) => T): T {
  const { tf, binding } = tracer();
  if (tf.getBackend() !== backendName) void tf.setBackend(backendName); // synchronous for this backend
  const outer = binding.graph;
  binding.graph = graph;
  let built: { result: T } | undefined;
  try {
    // tf.tidy keeps the tensors that its callback returns, so this callback returns nothing.
    tf.tidy(() => {
      built = { result: build(traceOf(graph)) };
    });
  } finally {
    binding.graph = outer;
  }
  return built!.result;
}

/** tfjs, for functions that are called inside `trace` and are not passed the namespace. */
export const tfjs = (): Tf => tracer().tf;

/** The innermost running trace, for ops that tfjs lacks. Throws outside `trace`. */
export function currentTrace(caller: string): Trace {
  const { graph } = tracer().binding;
  if (!graph) throw new TensorFlowError(`${caller} must be called inside trace()`);
  return traceOf(graph);
}

function traceOf(graph: Graph): Trace {
  const { tf, backend, binding } = tracer();
  const requireRunning = (caller: string): void => {
    if (binding.graph !== graph)
      throw new TensorFlowError(`${caller} must be called inside trace(), of the same graph`);
  };
  return {
    graph,
    tf,
    tensor(output) {
      requireRunning('tensor()');
      return backend.createOutputTensor(binding.register(graph, output));
    },
    output(tensor) {
      requireRunning('output()');
      if (tensor.isDisposed) throw new TensorFlowError('this traced tensor was released when its trace ended');
      return binding.outputOf(graph, backend.getInputTensorIds([tensor])[0]!);
    },
  };
}
