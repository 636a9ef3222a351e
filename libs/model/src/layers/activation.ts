import { gelu, type Tensor, tfjs } from '@nautil/tensorflow';

type Activation = (x: Tensor) => Tensor;

/** 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) */
const tanhGelu: Activation = (x) => {
  const inner = x
    .square()
    .mul(0.044715)
    .add(1)
    .mul(x)
    .mul(Math.sqrt(2 / Math.PI));
  return inner.tanh().add(1).mul(x).mul(0.5);
};

const silu: Activation = (x) => x.mul(x.sigmoid());

/** By the names in Hugging Face's configurations (transformers/activations.py). */
const activations: Readonly<Record<string, Activation>> = {
  gelu,
  gelu_python: gelu,
  gelu_new: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  gelu_python_tanh: tanhGelu,
  gelu_accurate: tanhGelu,
  gelu_10: (x) => tfjs().minimum(gelu(x), 10), // GELU is never below -10
  quick_gelu: (x) => x.mul(x.mul(1.702).sigmoid()),
  relu: (x) => x.relu(),
  relu2: (x) => x.relu().square(),
  relu6: (x) => tfjs().minimum(x.relu(), 6),
  leaky_relu: (x) => tfjs().maximum(x, x.mul(0.01)),
  hardswish: (x) => x.mul(tfjs().minimum(x.add(3).relu(), 6)).mul(1 / 6),
  silu,
  swish: silu,
  mish: (x) => x.mul(x.softplus().tanh()),
  sigmoid: (x) => x.sigmoid(),
  tanh: (x) => x.tanh(),
  linear: (x) => x,
};

export const activationNames: readonly string[] = Object.keys(activations);

/** The activation of that name. `parseEncoderConfig` has checked that it exists. */
export const activationOf = (name: string): Activation => activations[name]!;
