import koffi from 'koffi';
import { OutOfMemory, TensorFlowError } from './errors.js';
import { describe, type DType, dtypeCodes, dtypeOf, hostArray, type HostTensor } from './host-tensor.js';
import type { Native, Pointer } from './native.js';

const dimsOf = (shape: readonly number[]): BigInt64Array | null =>
  shape.length ? BigInt64Array.from(shape, BigInt) : null;

/** Copies a host tensor into a new TF_Tensor, which the caller must delete. */
export function toNative(native: Native, { dtype, shape, data }: HostTensor): Pointer {
  const tensor = native.TF_AllocateTensor(dtypeCodes[dtype], dimsOf(shape), shape.length, data.byteLength);
  if (!tensor)
    throw new OutOfMemory(`no memory for ${describe(dtype, shape)}: ${data.byteLength} bytes`, {
      code: 'RESOURCE_EXHAUSTED',
    });
  if (data.byteLength) native.memcpy(native.TF_TensorData(tensor), data, data.byteLength);
  return tensor;
}

/** Copies a TF_Tensor into JavaScript's memory. The caller still owns the tensor. */
export function fromNative(native: Native, tensor: Pointer): HostTensor {
  const { dtype, shape, size } = layoutOf(native, tensor);
  const data = new (hostArray(dtype))(size);
  if (data.byteLength) native.memcpy(data, native.TF_TensorData(tensor), data.byteLength);
  return { dtype, shape, data };
}

/** A TF_Tensor's own memory. It must not be read after the tensor is deleted. */
export function viewOf(native: Native, tensor: Pointer): HostTensor {
  const { dtype, shape, size } = layoutOf(native, tensor);
  const array = hostArray(dtype);
  if (size === 0) return { dtype, shape, data: new array(0) };
  const memory = koffi.view(native.TF_TensorData(tensor), size * array.BYTES_PER_ELEMENT);
  return { dtype, shape, data: new array(memory) };
}

function layoutOf(native: Native, tensor: Pointer): { dtype: DType; shape: number[]; size: number } {
  const code = native.TF_TensorType(tensor);
  const dtype = dtypeOf(code);
  if (!dtype) throw new TensorFlowError(`a tensor of TensorFlow's type ${code} cannot be copied to JavaScript`);
  const shape = Array.from({ length: native.TF_NumDims(tensor) }, (_, axis) => Number(native.TF_Dim(tensor, axis)));
  return { dtype, shape, size: shape.reduce((size, dim) => size * dim, 1) };
}
