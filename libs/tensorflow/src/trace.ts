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

/**
 * Traces `build` and, by tfjs's automatic differentiation, the derivatives of the sum of its result with respect to each of
 * `xs`, in the shapes of `xs`. Throws when the result does not depend on one of them.
 *
 * @example
 * const { value, gradients } = traceGradients(graph, [weight], ({ tf, tensor }, [w]) => tf.matMul(tensor(x), w!).square().mean());
 */
export function traceGradients(
  graph: Graph,
  xs: readonly Output[],
  build: (trace: Trace, xs: Tensor[]) => Tensor,
): { value: Output; gradients: Output[] } {
  return trace(graph, (running) => {
    const { tf, tensor, output } = running;
    const differentiate = tf.valueAndGrads((...inputs: Tensor[]) => build(running, inputs));
    const { value, grads } = differentiate(xs.map(tensor));
    return { value: output(value), gradients: grads.map(output) };
  });
}

/**
 * A function of `inputs` with a gradient of its own, for ops that tfjs lacks and for derivatives that take fewer ops than
 * tfjs's. For use inside `trace`.
 *
 * @param forward - computes the value, and calls `save` with the tensors that its derivative needs.
 * @param gradient - the derivatives with respect to each of `inputs`, from that of the value and the saved tensors. Each must
 *   have the shape and the type of its input.
 */
export function differentiable(
  inputs: Tensor[],
  forward: (save: (...tensors: Tensor[]) => void) => Tensor,
  gradient: (dy: Tensor, saved: Tensor[]) => Tensor[],
): Tensor {
  const { tf } = currentTrace('differentiable()');
  // tfjs passes the inputs, then the function that saves tensors.
  const custom = (...args: unknown[]) => {
    const save = args.at(-1) as (tensors: Tensor[]) => void;
    const value = forward((...tensors) => save(tensors));
    return { value, gradFunc: gradient };
  };
  return tf.customGrad(custom)(...inputs);
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
