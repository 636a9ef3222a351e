import { createHash, type Hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { writeFileAtomic, type WriteOptions } from '@nautil/store';
import { dataBytes, sizeOf } from './tensor-bytes.js';
import type { TensorDType } from './tensor-dtype.js';
import type { TensorToWrite } from './tensor-source.js';

// The reference implementation lays tensors out by its enumeration of types, last first, so that wide types come first
// and all are aligned; then by name.
const layoutOrder: readonly TensorDType[] = ['I64', 'F64', 'F32', 'I32', 'BF16', 'F16', 'I16', 'I8', 'U8', 'BOOL'];

/**
 * Writes a safetensors file atomically. The bytes are those of the reference implementation and do not depend on the order
 * of the tensors. When `data` is a function, it is called only when its tensor is written.
 *
 * @returns the SHA-256 of the file, as 64 hex digits
 * @example
 * await writeSafetensors('model.safetensors', [{ name: 'bias', dtype: 'F32', shape: [2], data: new Float32Array(2) }]);
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Readonly<Record<string, string>>,
  options?: WriteOptions,
): Promise<string> {
  const hash = createHash('sha256');
  await writeFileAtomic(path, hashing(hash, safetensorsChunks(tensors, metadata)), options);
  return hash.digest('hex');
}

/** Bytes hashed before other work of the process gets a turn: one or two milliseconds. */
const hashedAtOnce = 1 << 20;

/** Passes chunks on, and hashes each before its reader gets it. */
export async function* hashing(hash: Hash, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += hashedAtOnce) {
      hash.update(chunk.subarray(at, at + hashedAtOnce));
      await nextTurn();
    }
    yield chunk;
  }
}

/** The bytes of a safetensors file: the header, and then each tensor. */
export async function* safetensorsChunks(
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> | undefined,
): AsyncGenerator<Uint8Array> {
  const ordered = [...tensors].sort(
    (a, b) => layoutOrder.indexOf(a.dtype) - layoutOrder.indexOf(b.dtype) || compareUtf8(a.name, b.name),
  );
  const header: [string, unknown][] = [];
  if (metadata) {
    header.push(['__metadata__', Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => compareUtf8(a, b)))]);
  }
  const names = new Set<string>(['__metadata__']);
  let offset = 0;
  for (const tensor of ordered) {
    if (names.has(tensor.name)) throw new TypeError(`two tensors would be called ${tensor.name}`);
    names.add(tensor.name);
    const end = offset + sizeOf(tensor);
    header.push([tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // JSON.stringify of an object would move integer-like names to the front.
  const text = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const json = new TextEncoder().encode(text);
  const start = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - 8), true);
  start.set(json, 8);
  yield start;
  for (const tensor of ordered) {
    yield await dataBytes(tensor);
    tensor.onWritten?.();
  }
}

/** Rust orders strings by their UTF-8 bytes, JavaScript by UTF-16 units: they differ beyond the basic plane. */
function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
