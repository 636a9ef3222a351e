import type { KernelConfig, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs';
import type { NodeBackend, Tensor, Tf } from './tfjs-types.js';

const intAttr = 1;
const boolAttr = 3;

export interface TracedKernelsOptions {
  tf: Tf;
  backendName: string;

  /** Adds an op of one tensor whose result has `shape`, with sizes that may be free. Its inputs after the first are int32 vectors. */
  sized: (type: string, x: TensorInfo, vectors: readonly (readonly number[])[], shape: readonly number[]) => TensorInfo;
}

/** Kernels that replace tfjs-node's where its version cannot be traced or has a slow gradient. */
export function tracedKernels({ tf, backendName, sized }: TracedKernelsOptions): Omit<KernelConfig, 'backendName'>[] {
  const add = tf.getKernel('Add', backendName);
  const identity = tf.getKernel('Identity', backendName);
  const kernel = (
    kernelName: string,
    lower: (backend: NodeBackend, inputs: NamedTensorInfoMap, attrs: Record<string, unknown>) => TensorInfo,
  ): Omit<KernelConfig, 'backendName'> => ({
    kernelName,
    kernelFunc: ({ inputs, attrs, backend }) => lower(backend as NodeBackend, inputs, attrs ?? {}),
  });
  return [
    // tfjs-node reads the indices to check them, which is impossible in a trace; TensorFlow's kernel checks them at run time.
    kernel('GatherV2', (backend, { x, indices }, { axis, batchDims }) =>
      backend.executeSingleOutput(
        'GatherV2',
        [{ name: 'batch_dims', type: intAttr, value: batchDims ?? 0 }],
        [x!, indices!, tf.scalar(axis as number, 'int32')],
      ),
    ),
    // tfjs's gradients reshape to shapes that are already right.
    kernel('Reshape', (backend, inputs, attrs) => {
      const { x } = inputs as { x: TensorInfo };
      const shape = tf.util.inferFromImplicitShape(attrs['shape'] as number[], tf.util.sizeFromShape(x.shape));
      if (x.shape.join() !== shape.join()) return sized('Reshape', x, [shape], shape);
      return identity.kernelFunc({ inputs, attrs: attrs as NamedAttrMap, backend }) as TensorInfo;
    }),
    kernel('Slice', (_, { x }, attrs) => {
      const [begin, size] = tf.slice_util.parseSliceParams(x!, attrs['begin'] as number[], attrs['size'] as number[]);
      return sized('Slice', x!, [begin!, size!], size!);
    }),
    // The derivative of relu. tfjs-node's version chooses between two constants of x's shape.
    kernel('Step', (_, { x }, { alpha }) =>
      tf.tidy(() => {
        const slope = (alpha as number | undefined) ?? 0;
        const isPositive = tf.greater(x as Tensor, 0).toFloat(); // [1 or 0]
        return slope === 0 ? isPositive : isPositive.mul(1 - slope).add(slope);
      }),
    ),
    // BiasAdd has its own gradient kernel and is fused with the matmul before it; the gradient of a broadcast Add is neither.
    kernel('Add', (backend, inputs, attrs) => {
      const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
      const bias = b.shape.length === 1 && a.shape.length > 1 && a.shape.at(-1) === b.shape[0];
      return bias && a.dtype === 'float32' && b.dtype === 'float32'
        ? backend.executeSingleOutput('BiasAdd', [], [a, b])
        : (add.kernelFunc({ inputs, attrs: attrs as NamedAttrMap, backend }) as TensorInfo);
    }),
    // MatMul is faster than a batch of one.
    kernel('BatchMatMul', (backend, { a, b }, { transposeA, transposeB }) => {
      const [type, ...names] =
        a!.shape.length === 2 && b!.shape.length === 2
          ? ['MatMul', 'transpose_a', 'transpose_b']
          : ['BatchMatMulV2', 'adj_x', 'adj_y'];
      const flags = [transposeA, transposeB].map((value, i) => ({ name: names[i]!, type: boolAttr, value }));
      return backend.executeSingleOutput(type, flags, [a!, b!]);
    }),
  ];
}
