import { type DType, dtypeOf } from './host-tensor.js';
import { withStatus } from './library.js';
import type { Native, Output, Pointer } from './native.js';

/** A C array of TF_Output: 16 bytes each, the node's address and the output's index. */
export function packOutputs(outputs: readonly Output[]): BigUint64Array | null {
  if (outputs.length === 0) return null;
  const words = new BigUint64Array(2 * outputs.length);
  for (const [i, { oper, index }] of outputs.entries()) {
    words[2 * i] = oper;
    words[2 * i + 1] = BigInt(index);
  }
  return words;
}

/** The shape as known before a run, with -1 for unknown sizes; undefined when the rank is unknown. */
export function staticShape(native: Native, graph: Pointer, output: Output): number[] | undefined {
  return withStatus(native, (status) => {
    const rank = native.TF_GraphGetTensorNumDims(graph, output, status);
    if (rank < 0) return undefined;
    if (rank === 0) return [];
    const dims = new BigInt64Array(rank);
    native.TF_GraphGetTensorShape(graph, output, dims, rank, status);
    return Array.from(dims, Number);
  });
}

export const outputType = (native: Native, output: Output): DType | undefined =>
  dtypeOf(native.TF_OperationOutputType(output));
