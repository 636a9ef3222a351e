import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { labelIn } from './cell-text.js';
import { isNemoFile, openTable, tableFormatIn } from './open-table.js';
import type { Table } from './table.js';

/** Opens a file, and reads two columns of it. */
async function read(
  name: string,
  content: string | Uint8Array,
): Promise<{ table: Table; rows: (readonly unknown[])[] }> {
  const rows: (readonly unknown[])[] = [];
  let table: Table | undefined;
  await withFolder({ [name]: content }, async (folder) => {
    table = await openTable(join(folder, name));
    for await (const batch of table?.rows(['text', 'label']) ?? []) rows.push(...batch.map(({ values }) => values));
  });
  if (table === undefined) throw new Error(`${name} is no table`);
  return { table, rows };
}

const long = 'word '.repeat(20_000);
const expected = [
  [long, 'x'],
  ['a film', 'y'],
  ['b film', 'x'],
];
const objects = expected.map(([text, label]) => ({ text, label }));
const lines = objects.map((row) => JSON.stringify(row));
const wide = Array.from({ length: 15_000 }, (_, at) => `column${at}`);
const delimited = (delimiter: string): string =>
  [['text', 'label', ...wide], ...expected.map((row) => [...row, ...wide.map(() => '')])]
    .map((row) => `${row.join(delimiter)}\n`)
    .join('');

test.each<[string, string, string | Uint8Array, Table['format']]>([
  ['JSON Lines', 'a.jsonl', lines.join('\n'), 'JSON Lines'],
  ['JSON Lines with a mark and Windows line ends', 'a.jsonl', `\ufeff${lines.join('\r\n')}\r\n`, 'JSON Lines'],
  [
    'JSON Lines with a nested column',
    'a.jsonl',
    objects.map((row) => JSON.stringify({ n: [[row]], ...row })).join('\n'),
    'JSON Lines',
  ],
  ['JSON Lines by gzip', 'a', gzipSync(lines.join('\n')), 'JSON Lines'],
  ['a JSON array on one line', 'a.json', `\ufeff${JSON.stringify(objects)}`, 'JSON'],
  ['a JSON array with line breaks', 'a.json', JSON.stringify(objects, null, 2), 'JSON'],
  ['rows under a key, on one line', 'a.json', JSON.stringify({ version: '1', data: objects }), 'JSON'],
  [
    'an object of columns',
    'a.json',
    JSON.stringify({ text: expected.map(([text]) => text), label: expected.map(([, label]) => label) }),
    'JSON',
  ],
  ['a CSV header', 'a.csv', delimited(','), 'CSV'],
  ['a TSV header', 'a.tsv', delimited('\t'), 'TSV'],
])('the first line of a table may be long: %s', async (_, name, content, format) => {
  const { table, rows } = await read(name, content);
  expect(table.format).toBe(format);
  expect(rows).toEqual(expected);
});

test('rows under a key are found in a short file, too', async () => {
  const { table, rows } = await read('a.json', `${JSON.stringify({ version: '1', data: objects.slice(1) })}\n`);
  expect(table.details).toEqual(['the rows are under "data"']);
  expect(rows).toEqual(expected.slice(1));
});

test.each([
  ['a.jsonl', '{"text":"a","label":9007199254740993}\n{"text":"b","label":9007199254740992}\n{"text":"c","label":1.0}'],
  ['a.json', '[{"text":"a","label":9007199254740993},{"text":"b","label":9007199254740992},{"text":"c","label":1.0}]'],
  ['b.json', '{"text":["a","b","c"],"label":[9007199254740993,9007199254740992,1.0]}'],
])('numbers of every layout of JSON keep their digits as labels: %s', async (name, content) => {
  const { rows } = await read(name, content);
  expect(rows.map(([, label]) => labelIn(label))).toEqual(['9007199254740993', '9007199254740992', '1']);
});

test.each([
  ['a.jsonl', '{"text":"a","constructor":1}\n{"text":"b"}\n{"text":"c","__proto__":2,"toString":3}\n'],
  ['a.json', '[{"text":"a","constructor":1},{"text":"b"},{"text":"c","__proto__":2,"toString":3}]'],
])('a row has no value for a column that it lacks, whatever the name of the column: %s', async (name, content) => {
  const names = ['text', 'constructor', 'toString', '__proto__', 'valueOf'];
  const values: unknown[] = [];
  await withFolder({ [name]: content }, async (folder) => {
    for await (const batch of (await openTable(join(folder, name)))!.rows(names))
      values.push(...batch.map((row) => row.values));
  });
  expect(values).toEqual([
    ['a', 1, undefined, undefined, undefined],
    ['b', undefined, undefined, undefined, undefined],
    ['c', undefined, 3, 2, undefined],
  ]);
});

test.each<[Table['format'] | undefined, string[]]>([
  ['CSV', ['text,label', 'a film,x', 'b film,y']],
  ['CSV', ['Text;Label', '"a ""good"" film";x', 'a film;y']],
  ['TSV', ['label\ttext', 'x\ta film', 'y\tb film']],
  ['JSON Lines', ['{"text":"a film","label":"x"}']],
  ['JSON', ['[', '{"text":"a film"},', '{"text":"b film"}', ']']],
  ['JSON', ['{"data":[{"text":"a film"}]}']],
  [undefined, ['a good film', 'a bad one', 'one, two, and three']],
  [undefined, ['a good, long film']],
  [undefined, ['a good film\t1', 'a bad film\t0']],
  [undefined, ['{curly} words', 'other words']],
])('lines that look like a table are recognised as %s: %j', (format, some) => {
  expect(tableFormatIn(some)).toBe(format);
});

const numbered = (columns: (at: number) => string): string[] => Array.from({ length: 12 }, (_, at) => columns(at));

test.each<[what: string, format: Table['format'], columns: string[], lines: string[]]>([
  [
    'a number after the text',
    'TSV',
    ['ticket', 'message', 'priority'],
    numbered((at) => `${at}\ta text ${at}\t${at % 3}`),
  ],
  ['other names', 'TSV', ['case', 'narrative', 'severity'], numbered((at) => `c${at}\ta text ${at}\t${at % 3}`)],
  ['a text last', 'TSV', ['id', 'comment'], numbered((at) => `x${at}\twaiting since ${2000 + at}`)],
  ['a text last, by commas', 'CSV', ['id', 'comment'], numbered((at) => `x${at},waiting since ${2000 + at}`)],
  ['two texts', 'TSV', ['question1', 'question2', 'is_duplicate'], numbered((at) => `a ${at}\tb ${at}\t${at % 2}`)],
  ['a number of each text', 'TSV', ['message', 'ticket'], numbered((at) => `a text ${at}\t${1000 + at}`)],
  ['missing numbers', 'TSV', ['id', 'text', 'year'], numbered((at) => `${at}\ta text\t${at % 3 ? 2020 : ''}`)],
  ['one column', 'TSV', ['comment'], numbered((at) => `waiting since ${2000 + at}`)],
  [
    "NeMo's header",
    "NeMo's TSV",
    ['text', 'label'],
    ['sentence\tlabel', ...numbered((at) => `a text ${at}\t${at % 2}`)],
  ],
  [
    'a header of any name and the label',
    "NeMo's TSV",
    ['text', 'label'],
    ['header\tlabel', ...numbered((at) => `a text ${at}\t${at % 2}`)],
  ],
  ['no header', "NeMo's TSV", ['text', 'label'], numbered((at) => `${at}\ta text\t${at % 2}`)],
  ['no header, and no tab', "NeMo's TSV", ['text', 'label'], numbered((at) => `a text ${at % 2}`)],
  ['a first line without a label', "NeMo's TSV", ['text', 'label'], ['a text\t', ...numbered((at) => `b c ${at}\t0`)]],
])(
  'lines that end in numbers are a table if the first line names other columns than NeMo’s: %s',
  async (_, format, columns, rows) => {
    const isNemo = format === "NeMo's TSV";
    const content = [...(isNemo ? [] : [columns.join(format === 'CSV' ? ',' : '\t')]), ...rows].join('\n');
    await withFolder({ 'a.tsv': content }, async (folder) => {
      const path = join(folder, 'a.tsv');
      expect(await openTable(path)).toMatchObject({ format, columns });
      expect(await isNemoFile(path)).toBe(isNemo);
    });
  },
);

test('a file with NeMo’s header keeps the names of its columns if the user calls it a table', async () => {
  await withFolder(
    { 'a.tsv': 'review\tstars\na film\t5\nb film\t1\n', 'b.tsv': 'a film\t1\nb film\t0\n' },
    async (folder) => {
      expect(await openTable(join(folder, 'a.tsv'), { asTable: true })).toMatchObject({ columns: ['review', 'stars'] });
      expect(await openTable(join(folder, 'b.tsv'), { asTable: true })).toMatchObject({ format: "NeMo's TSV" });
    },
  );
});

test('a line of NeMo’s TSV without a label is a row without one', async () => {
  const { rows } = await read(
    'a.tsv',
    'sentence\tlabel\na film\t1\nb film\t\n\nc film\nd film\tgood\ne film\t0\nf film\t1\ng film\t0\nh film\t0\n',
  );
  expect(rows).toEqual([
    ['a film', 1],
    ['b film', undefined],
    ['c film', undefined],
    ['d film', undefined],
    ['e film', 0],
    ['f film', 1],
    ['g film', 0],
    ['h film', 0],
  ]);
});
