import { isUtf8 } from 'node:buffer';
import { DataError } from '@nautil/datasets';
import { ExactNumber } from '@nautil/datasets/tables';

/** Deeper values would exceed the stack, here and in most programs that read them. */
const maxDepth = 1000;

/**
 * A value of a table in JSON, at any depth: numbers have the digits that they had, infinities become text, dates ISO 8601, bytes
 * UTF-8 or else base64, maps objects, sets and typed arrays lists, and NaN and invalid dates null.
 *
 * @throws DataError for a value of more than 1000 levels
 */
export function jsonText(value: unknown, depth = 0): string {
  if (depth > maxDepth)
    throw new DataError(`a value has lists or objects in more than ${maxDepth} levels, which can't be repeated`, {
      hint: 'remove its column from the input',
    });
  if (typeof value === 'bigint' || value instanceof ExactNumber) return exactText(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(scalar(value));
  const text = textOf(value);
  if (text !== undefined) return JSON.stringify(text);
  if (value instanceof Date) return 'null';
  if (Array.isArray(value) || value instanceof Set || isNumbers(value))
    return `[${Array.from(value as Iterable<unknown>, (item) => jsonText(item, depth + 1)).join(',')}]`;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const members = entries
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => `${JSON.stringify(cellText(key))}:${jsonText(item, depth + 1)}`);
  return `{${members.join(',')}}`;
}

/** A value of a table in a cell of CSV or TSV: text as it is, nothing for null, and what is nested in JSON. */
export function cellText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || value instanceof ExactNumber) return exactText(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object' || value === null) return '';
  if (value instanceof Date && Number.isNaN(value.getTime())) return '';
  return textOf(value) ?? jsonText(value);
}

const exactText = (value: bigint | ExactNumber): string => (value instanceof ExactNumber ? value.text : String(value));

/** JSON has no NaN, and no infinities; what a row lacks is null inside a list. */
const scalar = (value: unknown): unknown =>
  typeof value !== 'number'
    ? (value ?? null)
    : Number.isNaN(value)
      ? null
      : Number.isFinite(value)
        ? value
        : String(value);

/** Dates and bytes as text. */
function textOf(value: object): string | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString(isUtf8(value) ? 'utf8' : 'base64');
  return undefined;
}

const isNumbers = (value: object): boolean => ArrayBuffer.isView(value) && !(value instanceof DataView);
