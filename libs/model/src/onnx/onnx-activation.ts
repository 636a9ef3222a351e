import type { OnnxGraph } from '@nautil/onnx';

type OnnxActivation = (graph: OnnxGraph, x: string, bias: string) => string;

const biased = (f: (graph: OnnxGraph, x: string) => string): OnnxActivation => {
  return (graph, x, bias) => f(graph, graph.op('Add', [x, bias]));
};

/** A number that is part of the graph, under the name of the value that it is for. */
const constant = (graph: OnnxGraph, name: string, value: number): string =>
  graph.weight(name, [], Float32Array.of(value));

/** x·(1 + f(x))/2 */
function gated(graph: OnnxGraph, x: string, f: (x: string) => string): string {
  const half = graph.op('Mul', [x, constant(graph, `${x}_half`, 0.5)]);
  return graph.op('Mul', [half, graph.op('Add', [f(x), constant(graph, `${x}_one`, 1)])]);
}

const portableGelu = biased((graph, sum) =>
  gated(graph, sum, (x) => graph.op('Erf', [graph.op('Mul', [x, constant(graph, `${x}_root`, Math.SQRT1_2)])])),
);
const portableTanhGelu = biased((graph, sum) =>
  gated(graph, sum, (x) => {
    const cube = graph.op('Mul', [graph.op('Mul', [x, x]), x]);
    const inner = graph.op('Add', [x, graph.op('Mul', [cube, constant(graph, `${x}_cubic`, 0.044715)])]);
    return graph.op('Tanh', [graph.op('Mul', [inner, constant(graph, `${x}_root`, Math.sqrt(2 / Math.PI))])]);
  }),
);

const gelu: OnnxActivation = (graph, x, bias) =>
  graph.isPortable ? portableGelu(graph, x, bias) : graph.fused('BiasGelu', [x, bias]);
const tanhGelu: OnnxActivation = (graph, x, bias) =>
  graph.isPortable ? portableTanhGelu(graph, x, bias) : graph.fused('FastGelu', [x, bias]);
const silu = biased((graph, x) => graph.op('Mul', [x, graph.op('Sigmoid', [x])]));

/** The activations of `activation.ts` in ONNX, each with the bias that is added before it. */
const activations: Readonly<Record<string, OnnxActivation>> = {
  gelu,
  gelu_python: gelu,
  gelu_new: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  gelu_python_tanh: tanhGelu,
  gelu_accurate: tanhGelu,
  gelu_10: (graph, x, bias) => {
    return graph.op('Min', [gelu(graph, x, bias), constant(graph, `${x}_ten`, 10)]);
  },
  quick_gelu: biased((graph, x) => {
    if (!graph.isPortable) return graph.fused('QuickGelu', [x], { alpha: 1.702 });
    const scaled = graph.op('Mul', [x, constant(graph, `${x}_alpha`, 1.702)]);
    return graph.op('Mul', [x, graph.op('Sigmoid', [scaled])]);
  }),
  relu: biased((graph, x) => graph.op('Relu', [x])),
  relu2: biased((graph, x) => {
    const positive = graph.op('Relu', [x]);
    return graph.op('Mul', [positive, positive]);
  }),
  relu6: biased((graph, x) => {
    return graph.op('Min', [graph.op('Relu', [x]), constant(graph, `${x}_six`, 6)]);
  }),
  leaky_relu: biased((graph, x) => graph.op('LeakyRelu', [x], { alpha: 0.01 })),
  hardswish: biased((graph, x) => graph.op('HardSwish', [x])),
  silu,
  swish: silu,
  mish: biased((graph, x) => graph.op('Mul', [x, graph.op('Tanh', [graph.op('Softplus', [x])])])),
  sigmoid: biased((graph, x) => graph.op('Sigmoid', [x])),
  tanh: biased((graph, x) => graph.op('Tanh', [x])),
  linear: biased((_, x) => x),
};

/** The activation of that name. `parseEncoderConfig` has checked that it exists. */
export const onnxActivationOf = (name: string): OnnxActivation => activations[name]!;
