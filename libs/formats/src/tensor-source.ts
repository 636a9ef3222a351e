import type { TensorDType } from './tensor-dtype.js';

export interface TensorInfo {
  readonly dtype: TensorDType;

  /** [] for a scalar. */
  readonly shape: readonly number[];
}

/** Named tensors in a file, read one at a time. */
export interface TensorSource {
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy';

  /** Free text stored in the file by its writer (safetensors only; empty otherwise). */
  readonly metadata: Readonly<Record<string, string>>;

  /** In the file's order; tensors within dicts and lists of a torch file are named by their path, joined by dots. */
  names(): string[];

  /** @throws MissingTensors if there is no tensor of that name. */
  info(name: string): TensorInfo;

  /** The elements in row-major order, little endian, whatever the strides in the file. */
  read(name: string): Promise<Uint8Array>;

  /** The elements of a floating tensor as float32; float16 and bfloat16 convert exactly, float64 is rounded. */
  readFloat32(name: string): Promise<Float32Array>;

  close(): Promise<void>;
}

/** A tensor to be written. `data` may be a function, so that the file can be larger than the memory. */
export interface TensorToWrite extends TensorInfo {
  readonly name: string;

  /** Elements in row-major order: bytes (little endian) for any type, a Float32Array for F32 only. */
  readonly data: TensorData | (() => TensorData | Promise<TensorData>);

  /** Called when the data has been written, and its memory may be freed. */
  readonly onWritten?: (() => void) | undefined;
}

type TensorData = Uint8Array | Float32Array;
