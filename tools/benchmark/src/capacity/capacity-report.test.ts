import { expect, test } from '@jest/globals';
import type { LoadTable } from '../load-table.js';
import { capacityMarkdown, carriedRows } from './capacity-report.js';
import { capacityAxes, devicesAxis } from './load-axes.js';

const table = (name: string, rows: Record<string, number>[]): LoadTable => ({
  ...{ axis: 'axis', name, notes: [], recordedAt: '2026-01-02T03:04:05.000Z', loadBefore: 0 },
  columns: Object.keys(rows[0] ?? {}).map((figure) => ({ figure, title: figure, unit: '' })),
  rows: rows.map((row) => Object.values(row)),
});

const trainings = (waits: number[], failures: number[] = waits.map(() => 0)) =>
  table(
    'temporal-trainings',
    waits.map((wait, at) => ({
      'training.trainings': 100 * 2 ** at,
      'training.p99': wait,
      'training.failures': failures[at] ?? 0,
    })),
  );

test('a load is carried when 99 % wait for at most a second, and nothing fails', () => {
  expect(carriedRows(trainings([20, 1000, 1001]), 'training')).toEqual([0, 1]);
  expect(carriedRows(trainings([20, 30], [0, 1]), 'training')).toEqual([0]);
});

test('the summary has the heaviest load that was carried, and what to use then', () => {
  const page = capacityMarkdown([trainings([20, 500, 3000])]).join('\n');
  expect(page).toMatch(/\| Temporal’s dev server \| trainings at a time \| 200 \| – \| Temporal with PostgreSQL .*\|/);
  expect(page).toContain('### Temporal: trainings at a time\n');
});

test('the summary says when no load was too heavy, and when each was', () => {
  expect(capacityMarkdown([trainings([20, 500])]).join('\n')).toContain('| 200 (more was not tried) |');
  expect(capacityMarkdown([trainings([2000])]).join('\n')).toContain('| less than was tried |');
});

test('checkpoints of several trainings share the rate of the store', () => {
  const store = table('artifacts-folder', [
    { 'folder.writers': 1, 'folder.put': 45 },
    { 'folder.writers': 2, 'folder.put': 90 },
  ]);
  expect(capacityMarkdown([store]).join('\n')).toContain('| 200 at 90.0 MB/s |'); // 90 MB/s · 600 s / 270 MB
});

test('a server whose load was not measured is left out', () => {
  const page = capacityMarkdown([trainings([20])]).join('\n');
  expect(page).not.toContain('MLflow on SQLite');
  expect(capacityMarkdown([])).toEqual([]);
});

test('each figure of a table, and each table, has a name of its own', () => {
  const tables = [devicesAxis, ...capacityAxes].flatMap((axis) => axis.tables);
  const figures = tables.flatMap(({ columns }) => columns.map(({ figure }) => figure));
  expect(new Set(figures).size).toBe(figures.length);
  expect(new Set(tables.map(({ name }) => name)).size).toBe(tables.length);
});

test('the processor time of the server gives what one processor of its own carries', () => {
  const runs = table('temporal-runs', [
    { 'short.rate': 1, 'short.p99': 20, 'short.failures': 0, 'short.serverCpu': 0.3 },
    { 'short.rate': 2, 'short.p99': 3000, 'short.failures': 0, 'short.serverCpu': 0.4 },
  ]);
  expect(capacityMarkdown([runs]).join('\n')).toContain('| 3,600 | about 18,000 |'); // 0.2 s for each run
});
