import { type JsonObject, ownCopy } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { readLines } from '../read-lines.js';
import { parseExactJson } from './exact-json.js';
import type { Table, TableRow } from './table.js';
import { tableText } from './table-bytes.js';

/** A text with one JSON object on each line. */
export function jsonLinesTable(path: string, columns: readonly string[], isGzip: boolean): Table {
  const placeOf = (position: number): string => `${path}:${position}`;
  return {
    path,
    format: 'JSON Lines',
    details: isGzip ? ['packed by gzip'] : [],
    columns,
    classNames: new Map(),
    placeOf,
    rows: async function* (selected) {
      let position = 0;
      for await (const lines of readLines(tableText(path, isGzip))) {
        const batch: TableRow[] = [];
        for (const line of lines) {
          position++;
          if (line.trim() === '') continue;
          const row = parsedObject(line, placeOf(position));
          batch.push({ position, values: selected.map((name) => ownValue(row, name)) });
        }
        yield batch;
      }
    },
  };
}

/** The value of a column; undefined if the row lacks it, also where objects inherit a property of that name. */
export const ownValue = (row: JsonObject, name: string): JsonObject[string] | undefined =>
  Object.hasOwn(row, name) ? row[name] : undefined;

/** @throws DataError unless the text is a JSON object */
export function parsedObject(text: string, place: string): JsonObject {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (error) {
    throw new DataError(`${place}: not JSON: ${(error as Error).message}`, {
      hint: /\bNaN\b|\bInfinity\b/.test(text)
        ? 'JSON has no NaN: write null, as pandas.DataFrame.to_json does'
        : 'each line is an object: {"text": "…", "label": "…"}',
      cause: error,
    });
  }
  return requireObject(value, place);
}

/** @throws DataError unless the value is an object */
export function requireObject(value: unknown, place: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  const found = Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`;
  throw new DataError(`${place}: a row is ${found}, not an object`, {
    hint: 'each row is an object with the names of the columns: {"text": "…", "label": "…"}',
  });
}

/** The names of all columns of the first rows, in the order in which they occur. */
export function columnsIn(rows: readonly JsonObject[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))].map(ownCopy);
}
