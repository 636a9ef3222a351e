import type { OnnxGraph } from '@nautil/onnx';

type OnnxActivation = (graph: OnnxGraph, x: string, bias: string) => string;

const biased = (f: (graph: OnnxGraph, x: string) => string): OnnxActivation => {
  return (graph, x, bias) => f(graph, graph.op('Add', [x, bias]));
};

const gelu: OnnxActivation = (graph, x, bias) => graph.fused('BiasGelu', [x, bias]);
const tanhGelu: OnnxActivation = (graph, x, bias) => graph.fused('FastGelu', [x, bias]);
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
    const ten = graph.weight(`${x}_ten`, [], Float32Array.of(10));
    return graph.op('Min', [gelu(graph, x, bias), ten]);
  },
  quick_gelu: biased((graph, x) => graph.fused('QuickGelu', [x], { alpha: 1.702 })),
  relu: biased((graph, x) => graph.op('Relu', [x])),
  relu2: biased((graph, x) => {
    const positive = graph.op('Relu', [x]);
    return graph.op('Mul', [positive, positive]);
  }),
  relu6: biased((graph, x) => {
    const six = graph.weight(`${x}_six`, [], Float32Array.of(6));
    return graph.op('Min', [graph.op('Relu', [x]), six]);
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
