import { expect, test } from '@jest/globals';
import { ExactNumber } from '@nautil/datasets/tables';
import { type OutputFormat, outputLines } from './output-lines.js';

const model = { labelIds: false, scores: false, top: 0, labels: ['no', 'yes'], precision: 'float32' } as const;
const prediction = { labelId: 1, label: 'yes', scores: [0.25, 0.75], logits: [-1, 1] };

const lineOf = (value: unknown, format: OutputFormat): string =>
  outputLines({ format: 'Parquet', columns: ['v'] }, format, model).lineOf(
    { input: 'a text', values: [value], label: undefined },
    prediction,
  );

test.each<[value: unknown, digits: string]>([
  [7n, '7'],
  [9007199254740993n, '9007199254740993'],
  [[{ id: 9007199254740993n }], '[{"id":9007199254740993}]'],
  [new ExactNumber('12345678901234567890'), '12345678901234567890'],
  [{ a: [new ExactNumber('1.0'), new ExactNumber('1e400')] }, '{"a":[1.0,1e400]}'],
])('numbers have the digits that they had, in every format and at any depth: %s', (value, digits) => {
  expect(lineOf(value, 'jsonl')).toContain(`{"v":${digits},"predicted_label_id"`);
  expect(lineOf(value, 'tsv').replaceAll('""', '"')).toContain(digits);
  expect(lineOf(value, 'csv').replaceAll('""', '"')).toContain(digits);
});

test('a value of a thousand levels is repeated, and a deeper one is an error', () => {
  const nested = (levels: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = [value];
    return value;
  };
  expect(lineOf(nested(1000), 'jsonl')).toContain(`${'['.repeat(1000)}1${']'.repeat(1000)}`);
  expect(() => lineOf(nested(100_000), 'jsonl')).toThrow(/in more than 1000 levels/);
});

test.each<[InputFormat: 'CSV' | 'TSV' | 'JSON', delimiter: string | undefined, OutputFormat, line: string]>([
  ['CSV', ';', 'csv', '"a;b";yes'],
  ['CSV', '|', 'csv', 'a;b|yes'],
  ['CSV', ',', 'csv', 'a;b,yes'],
  ['CSV', ';', 'tsv', 'a;b\tyes'],
  ['TSV', '\t', 'csv', 'a;b,yes'],
  ['TSV', '\t', 'tsv', 'a;b\tyes'],
  ['JSON', undefined, 'csv', 'a;b,yes'],
])(
  'the format of the input has its delimiter in the output, too: %s with %j as %s',
  (inputFormat, delimiter, format, line) => {
    const lines = outputLines({ format: inputFormat, columns: ['v'], delimiter }, format, model);
    expect(lines.lineOf({ input: 'a text', values: ['a;b'], label: undefined }, prediction)).toBe(line);
  },
);

test.each<[kind: string, value: unknown, json: unknown, cell: string]>([
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
