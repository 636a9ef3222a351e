import { expect, test } from '@jest/globals';
import { type OutputFormat, outputLines } from './output-lines.js';

const model = { labelIds: false, scores: false, top: 0, labels: ['no', 'yes'], precision: 'float32' } as const;
const prediction = { labelId: 1, label: 'yes', scores: [0.25, 0.75], logits: [-1, 1] };

const lineOf = (value: unknown, format: OutputFormat): string =>
  outputLines({ format: 'Parquet', columns: ['v'] }, format, model).lineOf(
    { input: 'a text', values: [value], label: undefined },
    prediction,
  );

test.each<[kind: string, value: unknown, json: unknown, cell: string]>([
  ['a safe bigint', 7n, 7, '7'],
  ['a larger bigint', 9007199254740993n, '9007199254740993', '9007199254740993'],
  [
    'a bigint in a struct in a list',
    [{ id: 9007199254740993n }],
    [{ id: '9007199254740993' }],
    '[{"id":"9007199254740993"}]',
  ],
  ['a date', new Date(0), '1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z'],
  ['an invalid date', new Date(NaN), null, ''],
  ['bytes of a text', Buffer.from('día'), 'día', 'día'],
  ['other bytes', Uint8Array.of(255, 0), '/wA=', '/wA='],
  ['NaN in a list', [NaN, 1.5], [null, 1.5], '[null,1.5]'],
  ['an infinity in a struct', { x: -Infinity }, { x: '-Infinity' }, '{"x":"-Infinity"}'],
  ['a map', new Map<unknown, unknown>([[1n, { n: 2n }]]), { 1: { n: 2 } }, '{"1":{"n":2}}'],
  ['a vector', Float32Array.of(0.5, 2), [0.5, 2], '[0.5,2]'],
  ['64-bit integers', BigInt64Array.of(3n), [3], '[3]'],
  ['an empty cell', null, null, ''],
])('every kind of value has a place in every format: %s', (_, value, json, cell) => {
  expect(JSON.parse(lineOf(value, 'jsonl'))).toMatchObject({ v: json, predicted_label: 'yes' });
  expect(lineOf(value, 'tsv')).toBe(`${cell.includes('"') ? `"${cell.replaceAll('"', '""')}"` : cell}\tyes`);
  expect(lineOf(value, 'csv')).toBe(`${/[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell},yes`);
});
