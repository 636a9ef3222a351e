import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { exactJsonParser, parseExactJson } from './exact-json.js';
import { ownValue, requireObject } from './read-json-lines.js';
import { batchRows, type Table } from './table.js';
import { tableBytes } from './table-bytes.js';

/** Where the rows of a JSON file are: in an array at the top, or under a key, or in one object of columns. */
export type JsonLayout = { kind: 'array'; under?: string } | { kind: 'columns' };

/** Columns of a JSON file are read completely, since their values are not beside one another. */
const maxColumnsBytes = 1 << 29;

/** A JSON file with the columns of its first rows. */
export function jsonTable(path: string, o: { layout: JsonLayout; columns: readonly string[]; isGzip: boolean }): Table {
  const { layout, columns, isGzip } = o;
  const placeOf = (position: number): string => `${path}: row ${position}`;
  return {
    path,
    format: 'JSON',
    details: [
      ...(layout.kind === 'columns' ? ['an object of columns'] : []),
      ...(layout.kind === 'array' && layout.under !== undefined ? [`the rows are under "${layout.under}"`] : []),
      ...(isGzip ? ['packed by gzip'] : []),
    ],
    columns,
    classNames: new Map(),
    placeOf,
    rows: async function* (selected) {
      const batches =
        layout.kind === 'columns'
          ? columnRows(path, isGzip)
          : arrayRows(path, { under: layout.under, isGzip, placeOf });
      for await (const batch of batches)
        yield batch.map(({ position, row }) => ({ position, values: selected.map((name) => ownValue(row, name)) }));
    },
  };
}

interface JsonRow {
  position: number;
  row: JsonObject;
}

/**
 * The rows of an array, read as a stream.
 *
 * @throws DataError for text that is not JSON, with the row before it, and for a row that is not an object
 */
export async function* arrayRows(
  path: string,
  o: { under: string | undefined; isGzip: boolean; placeOf: (position: number) => string },
): AsyncGenerator<JsonRow[]> {
  let rows: JsonRow[] = [];
  let position = 0;
  let failure: Error | undefined;
  const onError = (error: Error): void => {
    failure ??= error;
  };
  const parser = exactJsonParser({
    paths: [o.under === undefined ? '$.*' : `$.${o.under}.*`],
    onValue: (value) => {
      position++;
      rows.push({ position, row: requireObject(value, o.placeOf(position)) });
    },
    onError,
  });
  const check = (): void => {
    if (failure === undefined) return;
    if (failure instanceof DataError) throw failure;
    throw new DataError(`${path}: not JSON after row ${position}: ${failure.message}`, {
      hint: 'check the text there; a file with one object on each line has no brackets around them, and no commas between them',
      cause: failure,
    });
  };
  for await (const bytes of tableBytes(path, o.isGzip)) {
    try {
      parser.write(bytes);
    } catch (error) {
      onError(error as Error);
    }
    check();
    if (rows.length < batchRows) continue;
    yield rows;
    rows = [];
  }
  if (!parser.isEnded) {
    throw new DataError(`${path}: the JSON text ends after row ${position} without its closing bracket`, {
      hint: 'the file is cut off: copy or download it again',
    });
  }
  yield rows;
}

/** The rows of `{"text": ["…", …], "label": [0, …]}` or, as pandas writes it, `{"text": {"0": "…", …}, "label": {"0": 0, …}}`. */
export async function* columnRows(path: string, isGzip: boolean): AsyncGenerator<JsonRow[]> {
  const columns = Object.entries(await readObject(path, isGzip)).map(
    ([name, values]) => [name, Array.isArray(values) ? values : Object.values(values ?? {})] as const,
  );
  const [first] = columns;
  const other = columns.find(([, values]) => values.length !== first?.[1].length);
  if (first && other) {
    throw new DataError(
      `${path}: column ${other[0]} has ${other[1].length} values, and ${first[0]} has ${first[1].length}`,
      {
        hint: 'the columns of a table are equally long',
      },
    );
  }
  const count = first?.[1].length ?? 0;
  for (let start = 0; start < count; start += batchRows) {
    const batch: JsonRow[] = [];
    for (let index = start; index < Math.min(count, start + batchRows); index++)
      batch.push({
        position: index + 1,
        row: Object.fromEntries<JsonValue>(columns.map(([name, values]) => [name, values[index] ?? null])),
      });
    yield batch;
  }
}

/** @throws DataError for text that is not a JSON object, or is too large to be read completely */
export async function readObject(path: string, isGzip: boolean): Promise<JsonObject> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of tableBytes(path, isGzip)) {
    pieces.push(piece);
    size += piece.length;
    if (size <= maxColumnsBytes) continue;
    throw new DataError(
      `${path} is one JSON object of more than ${maxColumnsBytes >> 20} MiB, which must be read completely`,
      {
        hint: 'write one object per line: pandas.DataFrame.to_json("train.jsonl", orient="records", lines=True)',
      },
    );
  }
  try {
    const value = parseExactJson(new TextDecoder().decode(Buffer.concat(pieces)));
    if (isJsonObject(value)) return value;
  } catch (error) {
    throw new DataError(`${path} is not JSON: ${(error as Error).message}`, {
      hint: 'a table in JSON is an array of objects, an object of columns, or one object on each line',
      cause: error,
    });
  }
  throw new DataError(`${path} is JSON, but neither an array of objects nor an object of columns`, {
    hint: 'write an array of objects: [{"text": "…", "label": "…"}, …]',
  });
}
