import { CorruptFile } from '../errors.js';
import { bytesPerElement, elementsOf, type TensorDType } from '../tensor-dtype.js';
import type { TensorInfo } from '../tensor-source.js';
import { PickleObject, PickleTuple, type PickleValue } from './pickle-machine.js';

/** A contiguous range of elements that tensors are views of. `dtype` is undefined for an untyped storage: each view has its own type. */
export class TorchStorage extends PickleObject {
  readonly kind = 'storage';
  readonly key: string;
  readonly dtype: TensorDType | undefined;

  /** The number of elements, or of bytes for an untyped storage. */
  readonly size: number;

  constructor(key: string, dtype: TensorDType | undefined, size: number) {
    super();
    this.key = key;
    this.dtype = dtype;
    this.size = size;
  }

  get sizeBytes(): number {
    return this.size * (this.dtype ? bytesPerElement[this.dtype] : 1);
  }
}

/** A view of a storage: element (i, j, …) lies at `offset + i·strides[0] + j·strides[1] + …`. */
export class TorchTensor extends PickleObject implements TensorInfo {
  readonly kind = 'tensor';
  readonly storage: TorchStorage;
  readonly dtype: TensorDType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(
    storage: TorchStorage,
    dtype: TensorDType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    super();
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** First byte in the storage and number of bytes up to the last element's end; 0 bytes for an empty tensor. */
  get span(): { start: number; length: number } {
    const size = bytesPerElement[this.dtype];
    if (elementsOf(this.shape) === 0) return { start: 0, length: 0 };
    const last = this.shape.reduce((sum, dimension, axis) => sum + (dimension - 1) * (this.strides[axis] ?? 0), 0);
    return { start: this.offset * size, length: (last + 1) * size };
  }
}

const highestRank = 64;

// A view with stride 0 can have any number of elements over a few bytes. PyTorch writes such views of small tensors.
const mostRepeatedBytes = 64 << 20;

/** Creates a view from the values in a pickle, after checking every number against the storage. */
export function makeTensor(
  path: string,
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  dtype?: TensorDType,
): TorchTensor {
  const corrupt = (problem: string) => new CorruptFile(path, `a tensor in the pickle ${problem}`);
  if (!(storage instanceof TorchStorage)) throw corrupt('has no storage');
  const type = storage.dtype ?? dtype;
  if (!type) throw corrupt('has no type');
  const dimensions = counts(shape);
  const steps = counts(strides);
  if (!isCount(offset) || !dimensions || dimensions.length !== steps?.length) {
    throw corrupt('has an invalid shape, strides or offset');
  }
  const tensor = new TorchTensor(storage, type, offset, dimensions, steps);
  const { start, length } = tensor.span;
  const bytes = elementsOf(dimensions) * bytesPerElement[type];
  // The negated comparison rejects NaN too.
  if (!(start + length <= storage.sizeBytes)) {
    throw corrupt(
      `of shape [${dimensions.join(', ')}] ends at byte ${start + length} of a storage of ${storage.sizeBytes}`,
    );
  }
  if (!(bytes <= Math.max(storage.sizeBytes, mostRepeatedBytes))) {
    throw corrupt(`of shape [${dimensions.join(', ')}] expands a storage of ${storage.sizeBytes} bytes to ${bytes}`);
  }
  return tensor;
}

function counts(value: PickleValue | undefined): number[] | undefined {
  if (!(value instanceof PickleTuple) || value.items.length > highestRank) return undefined;
  return value.items.every(isCount) ? (value.items as number[]) : undefined;
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The elements in row-major order, from the bytes of the tensor's span. */
export function packRowMajor(tensor: TorchTensor, span: Uint8Array): Uint8Array {
  if (isRowMajor(tensor)) return span;
  const { shape, strides } = tensor;
  const size = bytesPerElement[tensor.dtype];
  const packed = new Uint8Array(elementsOf(shape) * size);
  const index = new Array<number>(shape.length).fill(0);
  const last = shape.length - 1;
  let from = 0;
  for (let to = 0; to < packed.length; to += size) {
    for (let byte = 0; byte < size; byte += 1) packed[to + byte] = span[from + byte] ?? 0;
    for (let axis = last; axis >= 0; axis -= 1) {
      const step = (strides[axis] ?? 0) * size;
      const next = (index[axis] ?? 0) + 1;
      from += step;
      if (next < (shape[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      from -= step * next;
      index[axis] = 0;
    }
  }
  return packed;
}

function isRowMajor({ shape, strides }: TorchTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    const dimension = shape[axis] ?? 0;
    if (dimension !== 1 && strides[axis] !== expected) return dimension === 0;
    expected *= dimension;
  }
  return true;
}
