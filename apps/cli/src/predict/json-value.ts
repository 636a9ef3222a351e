import { isUtf8 } from 'node:buffer';

/**
 * A value of a table as JSON can have it, at any depth: whole numbers that JSON readers would round and infinities become text,
 * dates ISO 8601, bytes UTF-8 or else base64, maps objects, sets and typed arrays lists, and NaN and invalid dates null.
 */
export function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isNaN(value) ? null : Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return bytesText(value);
  if (value instanceof Map)
    return Object.fromEntries(Array.from(value, ([key, item]) => [keyText(key), jsonValue(item)]));
  if (Array.isArray(value) || value instanceof Set || isNumbers(value))
    return Array.from(value as Iterable<unknown>, jsonValue);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonValue(item)]));
}

const keyText = (key: unknown): string => {
  const value = jsonValue(key);
  return typeof value === 'string' ? value : JSON.stringify(value);
};

const isNumbers = (value: object): boolean => ArrayBuffer.isView(value) && !(value instanceof DataView);

const bytesText = (bytes: Uint8Array): string => Buffer.from(bytes).toString(isUtf8(bytes) ? 'utf8' : 'base64');
