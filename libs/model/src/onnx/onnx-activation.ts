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
  silu,
  swish: silu,
  mish: biased((graph, x) => graph.op('Mul', [x, graph.op('Tanh', [graph.op('Softplus', [x])])])),
  sigmoid: biased((graph, x) => graph.op('Sigmoid', [x])),
  tanh: biased((graph, x) => graph.op('Tanh', [x])),
  linear: biased((_, x) => x),
};

/** The activation of that name. `parseEncoderConfig` has checked that it exists. */
export const onnxActivationOf = (name: string): OnnxActivation => activations[name]!;
