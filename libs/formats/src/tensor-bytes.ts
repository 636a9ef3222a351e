import { bytesPerElement, elementsOf } from './tensor-dtype.js';
import type { TensorInfo, TensorToWrite } from './tensor-source.js';

/** The size of a tensor's elements in bytes. */
export function sizeOf(tensor: TensorInfo): number {
  return elementsOf(tensor.shape) * bytesPerElement[tensor.dtype];
}

/** Returns the bytes to write for a tensor, after checking them against its type and shape. */
export async function dataBytes(tensor: TensorToWrite): Promise<Uint8Array> {
  const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
  if (data instanceof Float32Array && tensor.dtype !== 'F32') {
    throw new TypeError(`${tensor.name} is ${tensor.dtype}, its data float32`);
  }
  if (data.byteLength !== sizeOf(tensor)) {
    const wanted = `${tensor.dtype} [${tensor.shape.join(', ')}], ${sizeOf(tensor)} bytes`;
    throw new TypeError(`${tensor.name} is ${wanted}; its data has ${data.byteLength}`);
  }
  return data instanceof Float32Array ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data;
}
