import { splitWords } from '@nautil/python-format';

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
      return undefined;
  }
}

/** A label that is a whole number, or undefined. */
export const integerIn = (label: string): number | undefined =>
  /^[-+]?\d{1,15}$/.test(label) ? Number(label) : undefined;
