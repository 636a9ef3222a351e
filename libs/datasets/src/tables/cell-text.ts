import { splitWords } from '@nautil/python-format';
import { DataError } from '../data-error.js';
import { ExactNumber } from './exact-json.js';

/** A text with single spaces in place of all white space, as NeMo reads it; undefined for an empty one or none. */
export function textIn(value: unknown): string | undefined {
  const text = scalarText(value);
  return text === undefined ? undefined : splitWords(text).join(' ') || undefined;
}

/** The label in a cell; undefined for an empty cell. */
export function labelIn(value: unknown): string | undefined {
  const text = textIn(value);
  return text === undefined ? undefined : plainLabel(text);
}

/**
 * A label as each format has it: a whole number without a fraction, which pandas adds to columns with gaps, and a truth value in lower
 * case, as in JSON and Parquet.
 */
export const plainLabel = (label: string): string =>
  /^(?:true|false)$/i.test(label) ? label.toLowerCase() : label.replace(/^([-+]?\d+)\.0+$/, '$1');

/** What a value is that is neither a text, a number nor a truth value; undefined for these, and for an empty cell. */
export function faultOf(value: unknown): 'lists or objects' | 'bytes that are not UTF-8' | undefined {
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return undefined;
  return value instanceof Uint8Array ? 'bytes that are not UTF-8' : 'lists or objects';
}

/**
 * Checks the cell of a text or a label.
 *
 * @throws DataError for a value that is none
 */
export function requireText(value: unknown, o: { column: string; place: () => string }): void {
  const fault = faultOf(value);
  if (fault === undefined) return;
  throw new DataError(`${o.place()}: column ${JSON.stringify(o.column)} has ${fault}`, {
    hint: 'a text and a label are one value each, and text is in UTF-8: correct the row, or leave it out',
  });
}

/** undefined for null, NaN, lists and objects. */
function scalarText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return Number.isNaN(value) ? undefined : String(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return value instanceof ExactNumber ? String(value) : undefined;
  }
}

/** A label that is a whole number, or undefined. */
export const integerIn = (label: string): number | undefined =>
  /^[-+]?\d{1,15}$/.test(label) ? Number(label) : undefined;
