import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { withFolder } from '@nautil/testing';
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
