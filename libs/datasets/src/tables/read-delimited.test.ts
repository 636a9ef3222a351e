import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { withFolder } from '@nautil/testing';
import { isNemoFile, openTable } from './open-table.js';

interface Read {
  columns: readonly string[];
  details: readonly string[];
  rows: { position: number; values: readonly unknown[] }[];
}

const read = (content: string): Promise<Read> =>
  withFolder({}, async (folder) => {
    const path = join(folder, 'a.csv');
    writeFileSync(path, content);
    const table = await openTable(path);
    const found: Read = { columns: table?.columns ?? [], details: table?.details ?? [], rows: [] };
    for await (const batch of table?.rows(found.columns) ?? []) for (const row of batch) found.rows.push(row);
    return found;
  });

const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

test('cells in quotation marks are read as they were written, with the lines on which their rows start', async () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'b', ' ', ',', ';', '"', '\n', '\r', '\r\n', '\t', 'é') });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }), async (cells) => {
      const lines = cells.map((row) => row.map(quoted).join(','));
      const { rows } = await read(['text,label', ...lines, ''].join('\n'));
      expect(rows.map(({ values }) => values)).toEqual(cells);
      let line = 2;
      for (const [index, { position }] of rows.entries()) {
        expect(position).toBe(line);
        line += (lines[index] ?? '').split(/\r\n|\n|\r/).length;
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

const rowsOf = (labels: readonly string[]): string =>
  labels.map((label, at) => `a text with number ${at},${label}\n`).join('');
const twoLabels = Array.from({ length: 12 }, (_, at) => (at % 2 ? 'x' : 'y'));

test.each<[first: string, labels: readonly string[], isHeader: boolean]>([
  ['the review of the customer,what kind of review', twoLabels, true],
  ['"What do you think of the product, and of the service that we gave you?",How many stars?', twoLabels, true],
  ['a text that is an example,x', twoLabels, false],
  ['a text that is an example,z', [...twoLabels, 'z'], false],
  ['a text that is an example,a label of four words', [...twoLabels, 'once'], false],
  ['a text that is an example,a label of four words', ['x', 'y', 'x', 'y'], false],
  ['a text that is an example,a label of four words', twoLabels.map((_, at) => `label${at}`), false],
  ['a text that is an example,positive', twoLabels, false],
  ['a text that is an example,7', twoLabels, false],
])(
  'a first row of unusual words is a header if the labels below it recur, and its own does not: %s',
  async (first, labels, isHeader) => {
    const { columns, rows, details } = await read(`${first}\n${rowsOf(labels)}`);
    expect(rows).toHaveLength(labels.length + (isHeader ? 0 : 1));
    expect(columns[0] === '1').toBe(!isHeader);
    expect(details).toContain(isHeader ? 'the first row is taken as the header' : 'no header');
  },
);

test('a TSV of which quotation marks enclose cells is read as a CSV writer wrote it', async () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'b', ' ', ',', '"', '\n', 'é') });
  const minimal = (text: string): string => (/["\n\t]/.test(text) ? quoted(text) : text);
  const label = fc.constantFrom('good', 'bad', '0', '1');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, label), { maxLength: 8 }), fc.boolean(), async (random, quotesAll) => {
      const cells = [['said "no", and\nleft', 'good'], ['plain', '1'], ...random];
      const write = quotesAll ? quoted : minimal;
      const lines = cells.map(([text = '', name = '']) => `${write(`x${text}`)}\t${quotesAll ? name : minimal(name)}`);
      const { columns, rows } = await read(['text\tlabel', ...lines, ''].join('\n'));
      expect(columns).toEqual(['text', 'label']);
      expect(rows.map(({ values }) => values)).toEqual(cells.map(([text = '', name]) => [`x${text}`, name]));
    }),
    { numRuns: 50 },
  );
});

test('the first quotation mark may be far from the start of a TSV', async () => {
  for (const label of ['x', '1']) {
    const plain = `a plain text\t${label}\n`.repeat(20_000);
    const { rows } = await read(`text\tlabel\n${plain}"two\nlines of ""a"" text"\t${label}\n`);
    expect(rows.at(-1)).toEqual({ position: 20_002, values: ['two\nlines of "a" text', label] });
  }
});

test.each([
  ['"a quote" of two\t1\nno quote\t0\n', ['"a quote" of two', 'no quote']],
  ['"one whole quote"\t1\nno quote\t0\n', ['"one whole quote"', 'no quote']],
  ['" an open one\tx\nbetween\ty\nclosed "\tx\n', ['" an open one', 'between', 'closed "']],
  ['"an open one\t1\nbetween\t0\nclosed"\t1\n', ['"an open one', 'between', 'closed"']],
  ['inner "marks"\t1\n" and "" these "\t0\n', ['inner "marks"', '" and "" these "']],
  ['"\t1\n""\t0\n', ['"', '""']],
])('quotation marks of the texts %j stay', async (content, texts) => {
  expect((await read(content)).rows.map(({ values }) => values[0])).toEqual(texts);
});

test('where all texts are in quotation marks and nothing else tells, NeMo’s TSV has them as it is, and a table does not', async () => {
  const content = '"a b"\t1\n"c d"\t0\n';
  expect((await read(content)).rows.map(({ values }) => values[0])).toEqual(['a b', 'c d']);
  await withFolder({ 'a.tsv': content }, async (folder) => {
    expect(await isNemoFile(join(folder, 'a.tsv'))).toBe(true);
  });
});
