import { TensorFlowError } from './errors.js';

/** TF_DataType by name. */
export const dtypeCodes = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  int16: 5,
  int8: 6,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
  resource: 20,
  variant: 21,
  uint32: 22,
  uint64: 23,
} as const;

export type DType = keyof typeof dtypeCodes;

const names = new Map<number, DType>(Object.entries(dtypeCodes).map(([name, code]) => [code, name as DType]));

/** The name of a TF_DataType; undefined for types that are not supported here. */
export const dtypeOf = (code: number): DType | undefined => names.get(code);

export type HostData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | BigUint64Array
  | Uint8Array
  | Uint16Array;

/** A tensor in JavaScript's memory, row-major. 16-bit floats are stored as raw bits. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: HostData;
}

interface HostArray {
  new (lengthOrMemory: number | ArrayBuffer): HostData;
  readonly BYTES_PER_ELEMENT: number;
}

const arrays: Partial<Record<DType, HostArray>> = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  bfloat16: Uint16Array,
  float16: Uint16Array,
};

/** The typed array for values of `dtype`. Throws for types without one, such as strings and resources. */
export function hostArray(dtype: DType): HostArray {
  const array = arrays[dtype];
  if (!array) throw new TensorFlowError(`a tensor of ${dtype} cannot be copied to or from JavaScript`);
  return array;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);

/** A type and shape as error messages show them: `float32[32,128]`, with `?` for a size that is known only at run time. */
export const describe = (dtype: DType | undefined, shape: readonly number[] | undefined): string =>
  `${dtype ?? 'unknown'}${shape ? `[${shape.map((dim) => (dim < 0 ? '?' : dim)).join(',')}]` : '[unknown rank]'}`;

/**
 * A tensor to feed to a graph. `data` is not copied: do not change it until the run has finished.
 *
 * @example hostTensor('int32', [2, 3], Int32Array.of(1, 2, 3, 4, 5, 6))
 */
export function hostTensor(dtype: DType, shape: readonly number[], data: HostData): HostTensor {
  const array = hostArray(dtype);
  if (!(data instanceof array)) {
    throw new TensorFlowError(`${describe(dtype, shape)} needs a ${array.name}, not a ${data.constructor.name}`);
  }
  if (data.length !== sizeOf(shape)) {
    throw new TensorFlowError(`${describe(dtype, shape)} needs ${sizeOf(shape)} values, not ${data.length}`);
  }
  return { dtype, shape, data };
}

/** A tensor of rank 0. */
export function hostScalar(dtype: DType, value: number): HostTensor {
  const array = hostArray(dtype);
  const data = new array(1);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[0] = BigInt(value);
  else data[0] = value;
  return { dtype, shape: [], data };
}
