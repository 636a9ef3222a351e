import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FileRef } from '@nautil/contracts';
import { readChunks } from './streams/read-chunks.js';

/** Lower-case hex SHA-256 of the bytes, or of the UTF-8 of a string. */
export function sha256Of(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Lower-case hex SHA-256 of the content of a file, which is read as a stream. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readChunks(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** The reference to an existing file: absolute path, digest and size. */
export async function fileRef(path: string): Promise<FileRef> {
  const absolute = resolve(path);
  const [sha256, { size }] = await Promise.all([sha256File(absolute), stat(absolute)]);
  return { path: absolute, sha256, sizeBytes: size };
}

/**
 * JSON for hashing: the text depends on the value alone. Keys are sorted by code unit, without spaces, and undefined
 * properties are left out.
 *
 * @throws TypeError for values that JSON cannot represent (NaN, infinities, functions, bigints, cycles): a digest that ignored
 *   them would be the same for different values
 */
export function canonicalJson(value: unknown): string {
  return canonical(value, '$', new Set());
}

const hasToJson = (value: object): value is { toJSON: () => unknown } =>
  'toJSON' in value && typeof value.toJSON === 'function';

function canonical(value: unknown, where: string, above: Set<object>): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value !== 'object')
    throw new TypeError(`${where}: ${typeof value === 'number' ? value : typeof value} has no canonical JSON`);
  if (above.has(value)) throw new TypeError(`${where}: a cycle has no canonical JSON`);
  above.add(value);
  try {
    if (hasToJson(value)) return canonical(value.toJSON(), where, above);
    if (Array.isArray(value)) {
      return `[${value.map((item, index) => canonical(item ?? null, `${where}[${index}]`, above)).join(',')}]`;
    }
    if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
      throw new TypeError(`${where}: a ${value.constructor.name} has no canonical JSON`);
    }
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, `${where}.${key}`, above)}`);
    return `{${entries.join(',')}}`;
  } finally {
    above.delete(value);
  }
}
