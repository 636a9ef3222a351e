/** Element types of checkpoints, by their safetensors names. */
export type TensorDType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** The size of one element in bytes. */
export const bytesPerElement: Readonly<Record<TensorDType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

export function isTensorDType(name: unknown): name is TensorDType {
  return typeof name === 'string' && Object.hasOwn(bytesPerElement, name);
}

/** Number of elements of a shape; 1 for a scalar's []. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Converts little-endian bytes of a floating-point type to float32, rounding float64. Returns undefined for other types. */
export function decodeFloats(dtype: TensorDType, bytes: Uint8Array): Float32Array | undefined {
  // Typed arrays need their offset to be a multiple of the element's size.
  const aligned = bytes.byteOffset % bytesPerElement[dtype] === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  const count = bytes.length / bytesPerElement[dtype];
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, count);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    case 'BF16': {
      // bfloat16 is the upper half of a float32.
      const bits = new Uint32Array(count);
      new Uint16Array(buffer, byteOffset, count).forEach((half, index) => (bits[index] = half << 16));
      return new Float32Array(bits.buffer);
    }
    case 'F16': {
      const values = new Float32Array(count);
      new Uint16Array(buffer, byteOffset, count).forEach((half, index) => (values[index] = decodeHalf(half)));
      return values;
    }
    default:
      return undefined;
  }
}

/** IEEE 754 binary16: 1 sign bit, 5 of the exponent (bias 15), 10 of the fraction. */
function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
