import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { withFolder } from '@nautil/testing';
import { openTable } from './open-table.js';

interface Read {
  columns: readonly string[];
  rows: { position: number; values: readonly unknown[] }[];
}

const read = (content: string): Promise<Read> =>
  withFolder({}, async (folder) => {
    const path = join(folder, 'a.csv');
    writeFileSync(path, content);
    const table = await openTable(path);
    const found: Read = { columns: table?.columns ?? [], rows: [] };
    for await (const batch of table?.rows(found.columns) ?? []) for (const row of batch) found.rows.push(row);
    return found;
  });

const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

test('cells in quotation marks are read as they were written, with the lines on which their rows start', async () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'b', ' ', ',', ';', '"', '\n', '\t', 'é') });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }), async (cells) => {
      const lines = cells.map((row) => row.map(quoted).join(','));
      const { rows } = await read(['text,label', ...lines, ''].join('\n'));
      expect(rows.map(({ values }) => values)).toEqual(cells);
      let line = 2;
      for (const [index, { position }] of rows.entries()) {
        expect(position).toBe(line);
        line += (lines[index] ?? '').split('\n').length;
      }
    }),
    { numRuns: 50 },
  );
});

test('a cell may be longer than the pieces in which a file is read', async () => {
  const long = 'a line of a long text\n'.repeat(20_000);
  const { rows } = await read(`text,label\n${quoted(long)},x\nshort,y\n`);
  expect(rows.map(({ values }) => values)).toEqual([
    [long, 'x'],
    ['short', 'y'],
  ]);
  expect(rows.map(({ position }) => position)).toEqual([2, 20_003]);
});

test('blank lines are no rows, and count as lines', async () => {
  const { rows } = await read('text,label\n\na b,x\n\n\nc d,y\n');
  expect(rows.map(({ position }) => position)).toEqual([3, 6]);
});

test.each([
  ['text,label\na,x\n"b,y\nc,x\n', /a\.csv:3: the quotation mark at the start of a cell is not closed/],
  ['text,label\na,x\nb,c,y\nd,x\ne,x\nf,y\n', /a\.csv:3: the row has 3 cells, and the first row has 2/],
])('%j is an error with its line', async (content, message) => {
  await expect(read(content)).rejects.toThrow(message);
});

test.each([
  ['text,label\na b,x\nc d,y\n', ['text', 'label']],
  ['a b c,x\nd e f,y\ng h i,x\n', ['1', '2']],
  ['Kommentar;Wertung\na b;x\nc d;y\n', ['Kommentar', 'Wertung']],
  [',text,label\n0,a b,x\n1,c d,y\n', ['column 1', 'text', 'label']],
  ['positive,great\nnegative,bad\n', ['1', '2']],
])('the columns of %j are %j', async (content, columns) => {
  expect((await read(content)).columns).toEqual(columns);
});
