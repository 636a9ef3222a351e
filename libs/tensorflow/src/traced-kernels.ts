import type { KernelConfig, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs';
import type { NodeBackend, Tf } from './tfjs-backend.js';

const intAttr = 1;
const boolAttr = 3;

/** The kernels that replace tfjs-node's, as its lowering can't be traced or has costly gradients. */
export function tracedKernels(tf: Tf, backendName: string): Omit<KernelConfig, 'backendName'>[] {
  const add = tf.getKernel('Add', backendName);
  const kernel = (
    kernelName: string,
    lower: (backend: NodeBackend, inputs: Record<string, TensorInfo>, attrs: Record<string, unknown>) => TensorInfo,
  ): Omit<KernelConfig, 'backendName'> => ({
    kernelName,
    kernelFunc: ({ inputs, attrs, backend }) =>
      lower(backend as NodeBackend, inputs as Record<string, TensorInfo>, (attrs ?? {}) as Record<string, unknown>),
  });
  return [
    // tfjs-node's own reads the values of the indices to check them; TensorFlow's kernel checks them at run time.
    kernel('GatherV2', (backend, { x, indices }, { axis, batchDims }) =>
      backend.executeSingleOutput(
        'GatherV2',
        [{ name: 'batch_dims', type: intAttr, value: batchDims ?? 0 }],
        [x!, indices!, tf.scalar(axis as number, 'int32')],
      ),
    ),
    // The gradient of a broadcast Add sums by general arithmetic; BiasAdd's has a kernel of its own, and BiasAdd is fused with its matmul.
    kernel('Add', (backend, inputs, attrs) => {
      const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
      const bias = b.shape.length === 1 && a.shape.length > 1 && a.shape.at(-1) === b.shape[0];
      return bias && a.dtype === 'float32' && b.dtype === 'float32'
        ? backend.executeSingleOutput('BiasAdd', [], [a, b])
        : (add.kernelFunc({ inputs, attrs: attrs as NamedAttrMap, backend }) as TensorInfo);
    }),
    // BatchMatMulV2 may broadcast, and its gradient pays for that with shape arithmetic even where it does not.
    kernel('BatchMatMul', (backend, { a, b }, { transposeA, transposeB }) => {
      const [type, ...names] =
        a!.shape.length === 2 && b!.shape.length === 2
          ? ['MatMul', 'transpose_a', 'transpose_b']
          : [sameBatch(a!, b!) ? 'BatchMatMul' : 'BatchMatMulV2', 'adj_x', 'adj_y'];
      const flags = [transposeA, transposeB].map((value, i) => ({ name: names[i]!, type: boolAttr, value }));
      return backend.executeSingleOutput(type!, flags, [a!, b!]);
    }),
  ];
}

const sameBatch = (a: TensorInfo, b: TensorInfo): boolean =>
  a.shape.length === b.shape.length && a.shape.slice(0, -2).every((dim, axis) => dim === b.shape[axis]);
