import { expect, test } from '@jest/globals';
import { chooseColumns, type NamedColumns } from './choose-columns.js';
import type { Table } from './table.js';

/** A table of thirty rows; a cell is made of its column and the number of its row. */
function tableOf(cells: Record<string, (row: number) => unknown>): Table {
  const values = Array.from({ length: 30 }, (_, row) => row);
  return {
    path: 'a.csv',
    format: 'CSV',
    details: [],
    columns: Object.keys(cells),
    classNames: new Map(),
    placeOf: (position) => `a.csv:${position}`,
    rows: (selected) =>
      (async function* () {
        await Promise.resolve();
        yield values.map((row) => ({ position: row + 1, values: selected.map((name) => cells[name]?.(row)) }));
      })(),
  };
}

const text = (row: number): string => `a text with number ${row}`;
const label = (row: number): string => (row % 2 ? 'x' : 'y');
const id = (row: number): number => row;

test.each<[string, Record<string, (row: number) => unknown>, NamedColumns, object]>([
  ['usual names', { id, text, label }, {}, { text: 'text', label: 'label', others: ['id'] }],
  [
    'words of names',
    { review_id: id, 'Review Text': text, 'Class Index': label },
    {},
    { text: 'Review Text', label: 'Class Index' },
  ],
  ['other languages', { 评论: text, 标签: label }, {}, { text: '评论', label: '标签' }],
  [
    'the text before its title',
    { title: text, description: text, category: label },
    {},
    { text: 'description', label: 'category' },
  ],
  ['a name that is the role', { sentence: text, text, label }, {}, { text: 'text', others: ['sentence'] }],
  [
    'pairs',
    { sentence1: text, sentence2: text, label },
    {},
    { text: 'sentence1', textPair: 'sentence2', label: 'label' },
  ],
  [
    'content without usual names',
    { a: id, b: text, c: label },
    {},
    { text: 'b', label: 'c', how: 'recognised by content' },
  ],
  ['the columns that are set', { text, other: text, label }, { text: 'other' }, { text: 'other', others: ['text'] }],
])('columns are chosen by %s', async (_, cells, named, expected) => {
  expect(await chooseColumns(tableOf(cells), named)).toMatchObject(expected);
});

test.each<[string, Record<string, (row: number) => unknown>, NamedColumns, RegExp, RegExp]>([
  ['two texts', { a: text, b: text, c: label }, {}, /the text may be in "a", "b"/, /a {2}"a text with number 0"/],
  ['no label', { text, number: id }, {}, /no column is recognised as the label/, /nautil\.data\.label_column$/],
  [
    'an unknown column',
    { text, label },
    { text: 'txt' },
    /no column "txt", which nautil\.data\.text_column names/,
    /text {3}"a text/,
  ],
  ['one column twice', { text, label }, { text: 'label', label: 'label' }, /column "label" can't be two of/, /columns/],
  ['lists of labels', { text, label: () => [1] }, {}, /has lists or objects/, /label_column/],
  ['bytes', { text, label: () => Uint8Array.of(255) }, {}, /has bytes that are not UTF-8/, /label_column/],
  ['measures', { text, score: (row) => row + 0.5 }, {}, /they are measures, not classes/, /label_column/],
  ['too many labels', { text, label: (row) => `label-${row}` }, {}, /30 different values in 30 rows/, /label_column/],
  [
    'swapped columns',
    { text: label, label: text },
    {},
    /the two look swapped/,
    /text_column=label nautil\.data\.label_column=text/,
  ],
  [
    'two texts, of which one has a name that a shell would run,',
    { "$(touch a) it's": text, b: text, c: label },
    {},
    /the text may be in/,
    /for example 'nautil\.data\.text_column="\$\(touch a\) it'\\''s"'/,
  ],
])('%s is an error that names the setting', async (_, cells, named, message, hint) => {
  await expect(chooseColumns(tableOf(cells), named)).rejects.toMatchObject({
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});

test.each<[string, (row: number) => unknown]>([
  ['16 digits', (row) => `123456789012345${row % 3}`],
  ['20 digits', (row) => `1234567890123456789${row % 3}`],
  ['a sign', (row) => `-123456789012345${row % 3}`],
])('whole numbers with %s are labels', async (_, numbers) => {
  expect(await chooseColumns(tableOf({ text, label: numbers }), {})).toMatchObject({ label: 'label' });
});
