import type { FileRef } from '@nautil/contracts';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

/** Lower-case hex SHA-256 of the bytes, or of the UTF-8 of a string. */
export function sha256Of(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Lower-case hex SHA-256 of a file's content, read as a stream. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The reference of an existing file: absolute path, digest and size. */
export async function fileRef(path: string): Promise<FileRef> {
  const absolute = resolve(path);
  const [sha256, { size }] = await Promise.all([sha256File(absolute), stat(absolute)]);
  return { path: absolute, sha256, sizeBytes: size };
}

/**
 * JSON whose text depends on the value alone: keys sorted by code unit, no spaces, undefined properties left out. For hashing.
 * Throws on what JSON can't hold (NaN, infinities, functions, bigints, cycles): a digest that ignores a part would lie.
 */
export function canonicalJson(value: unknown): string {
  return canonical(value, '$', new Set());
}

function canonical(value: unknown, where: string, above: Set<object>): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value !== 'object') throw new TypeError(`${where}: ${String(value)} has no canonical JSON`);
  if (above.has(value)) throw new TypeError(`${where}: a cycle has no canonical JSON`);
  above.add(value);
  try {
    if ('toJSON' in value && typeof value.toJSON === 'function') return canonical(value.toJSON(), where, above);
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
