import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parquetWriteBuffer, type SchemaElement } from 'hyparquet-writer';
import { withFolder } from '@nautil/testing';
import { ExactNumber } from './exact-json.js';
import { parquetTable } from './read-parquet.js';

const data = Array.from({ length: 20 }, (_, index) => `a film, ${index}`);

/** In the header of the file's only page: the type of a field of four bytes, and 20 as its number of values. */
const numberOfValues = Buffer.from([0x15, 2 * data.length]);

test('reading a Parquet file without end is an error, and the process goes on meanwhile', async () => {
  await withFolder({}, async (folder) => {
    const path = join(folder, 'a.parquet');
    const bytes = Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'text', data, type: 'STRING' }] }));
    const at = bytes.indexOf(numberOfValues);
    // The low half remains the type; a high half of 0 makes the next byte the number of another field.
    bytes[at] = 0x05;
    writeFileSync(path, bytes);

    let turns = 0;
    const timer = setInterval(() => (turns += 1), 10);
    const table = await parquetTable(path, false);
    await expect(table.rows(['text'])[Symbol.asyncIterator]().next()).rejects.toThrow(
      `${path} can't be read as Parquet: reading it does not end`,
    );
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });
}, 60_000);

type Column = Omit<SchemaElement, 'name'> & { data: unknown[] };

/** Writes columns, and reads them back. */
async function rowsOf(columns: Record<string, Column>): Promise<(readonly unknown[])[]> {
  const names = Object.keys(columns);
  const schema: SchemaElement[] = [
    { name: 'root', num_children: names.length },
    ...Object.entries(columns).map(([name, { data: _, ...element }]) => ({ name, ...element })),
  ];
  const columnData = Object.entries(columns).map(([name, { data: values }]) => ({ name, data: values }));
  const rows: (readonly unknown[])[] = [];
  await withFolder({}, async (folder) => {
    const path = join(folder, 'a.parquet');
    writeFileSync(path, Buffer.from(parquetWriteBuffer({ columnData, schema })));
    for await (const batch of (await parquetTable(path, false)).rows(names))
      rows.push(...batch.map(({ values }) => values));
  });
  return rows;
}

test('a value of Parquet is read as it is stored: digits, times, and bytes that are no text', async () => {
  const optional = { repetition_type: 'OPTIONAL' } as const;
  const rows = await rowsOf({
    decimal: {
      data: [900719925474099301n, -5n, null],
      type: 'FIXED_LEN_BYTE_ARRAY',
      type_length: 16,
      converted_type: 'DECIMAL',
      scale: 2,
      precision: 38,
      ...optional,
    },
    decimal64: {
      data: [150n, -150n, 0n],
      type: 'INT64',
      converted_type: 'DECIMAL',
      scale: 2,
      precision: 18,
      ...optional,
    },
    integer: { data: [9007199254740993n, -1n, null], type: 'INT64', ...optional },
    float: { data: [0.1, 3.4e38, 1e-40].map(Math.fround), type: 'FLOAT', ...optional },
    double: { data: [0.1, 1 / 3, null], type: 'DOUBLE', ...optional },
    date: { data: [20_119, -1, null], type: 'INT32', converted_type: 'DATE', ...optional },
    micros: {
      data: [1n, -1n, 1_000_000n],
      type: 'INT64',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' },
      ...optional,
    },
    millis: { data: [1n, 0n, null], type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', ...optional },
    nanos: {
      data: [1n, 0n, null],
      type: 'INT64',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'NANOS' },
      ...optional,
    },
    text: { data: ['día', '\ufeffa', null], type: 'BYTE_ARRAY', converted_type: 'UTF8', ...optional },
    bytes: { data: [Uint8Array.of(0xff, 0), Buffer.from('día'), null], type: 'BYTE_ARRAY', ...optional },
  });
  const columns = rows[0]?.map((_, at) => rows.map((row) => (row[at] instanceof ExactNumber ? row[at].text : row[at])));
  expect(columns).toEqual([
    ['9007199254740993.01', -0.05, null],
    ['1.50', '-1.50', '0.00'],
    [9007199254740993n, -1n, null],
    [0.1, 3.4e38, 1e-40],
    [0.1, 1 / 3, null],
    ['2025-01-31', '1969-12-31', null],
    ['1970-01-01T00:00:00.000001', '1969-12-31T23:59:59.999999', '1970-01-01T00:00:01'],
    ['1970-01-01T00:00:00.001Z', '1970-01-01T00:00:00Z', null],
    ['1970-01-01T00:00:00.000000001Z', '1970-01-01T00:00:00Z', null],
    ['día', '\ufeffa', null],
    [Uint8Array.of(0xff, 0), 'día', null],
  ]);
});
