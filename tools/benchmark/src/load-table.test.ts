import { expect, test } from '@jest/globals';
import { columnOf, conditionsOf, tableSection, tablesOf, type TableSpec } from './load-table.js';

const spec: TableSpec = {
  name: 'writes',
  title: 'writes',
  columns: [
    { figure: 'writers', title: 'writers', unit: '' },
    { figure: 'rate', title: 'rate', unit: 'MB/s' },
  ],
  remark: 'Writers share one disk.',
};

test('the values of a program become a row for each load', () => {
  const [table] = tablesOf('artifacts', [spec], { figures: { writers: [1, 2], rate: [90, 100], wall: [3] } }, 0.5);
  expect(table).toMatchObject({ axis: 'artifacts', name: 'writes', notes: [], loadBefore: 0.5 });
  expect(table?.rows).toEqual([
    [1, 90],
    [2, 100],
  ]);
});

test.each([{ writers: [1, 2], rate: [90] }, { writers: [1, 2] }])(
  'columns of different lengths are refused: %j',
  (figures) => {
    expect(() => tablesOf('artifacts', [spec], { figures }, 0)).toThrow(
      'the columns of writes have different lengths: writers, rate',
    );
  },
);

test('a column is found by its figure, and one that does not exist is empty', () => {
  const [table] = tablesOf('artifacts', [spec], { figures: { writers: [1, 2], rate: [90, 100] } }, 0);
  expect(table && columnOf(table, 'rate')).toEqual([90, 100]);
  expect(table && columnOf(table, 'latency')).toEqual([]);
});

test('a section has the table, its remark, the notes of the program, and what else used the machine', () => {
  const output = { figures: { writers: [1, 2000], rate: [90.123, 1234.5] }, notes: ['read from the page cache'] };
  const [table] = tablesOf('artifacts', [spec], output, 1.25);
  const section = tableSection(spec, { ...table!, recordedAt: '2026-01-02T03:04:05.000Z' }).join('\n');
  expect(section).toContain('| writers | rate, MB/s |\n| ---: | ---: |\n| 1 | 90.1 |\n| 2,000 | 1,235 |\n');
  expect(section).toContain(
    'Writers share one disk. read from the page cache. Recorded on 2026-01-02, while other programs used the machine, too; the load average was 1.3 before.',
  );
});

test('a table of a quiet machine does not mention other programs', () => {
  const conditions = { recordedAt: '2026-01-02T03:04:05.000Z', loadBefore: 0.2 };
  expect(conditionsOf(conditions)).toBe('Recorded on 2026-01-02; the load average was 0.2 before.');
});
