import { expect, test } from '@jest/globals';
import { curveOf, mergeScaling, parseScalingReport, scalingMarkdown, type ScalingReport } from './scaling-report.js';

const curve = (axis: string, values: number[]) =>
  curveOf({
    ...{ axis, figure: 'step', title: 'a step', unit: 'ms' },
    points: values.map((value, at) => ({ size: 10 ** (at + 1), value })),
  });

const report = (axes: Record<string, number[]>, cpu = 'a processor'): ScalingReport => ({
  recordedAt: '2026-01-02T03:04:05.000Z',
  mode: 'full',
  machine: { cpu, cores: 2, memoryGb: 8, instructions: [] },
  curves: Object.entries(axes).map(([axis, values]) => curve(axis, values)),
});

test('a curve has the exponent of all points, and of the last two', () => {
  const { exponent, lastExponent } = curve('rows', [1, 1, 10]);
  expect(exponent).toBeCloseTo(0.5);
  expect(lastExponent).toBeCloseTo(1);
});

test('a part of the axes keeps the others of the same machine, in the order of the axes', () => {
  const earlier = report({ length: [1, 2], rows: [1, 2] });
  const merged = mergeScaling(earlier, report({ length: [3, 4] }), ['rows', 'length']);
  expect(merged.curves.map(({ axis, points }) => [axis, points[0]?.value])).toEqual([
    ['rows', 1],
    ['length', 3],
  ]);
  expect(mergeScaling(report({ rows: [1, 2] }, 'another'), earlier, ['rows', 'length'])).toEqual(earlier);
});

test('a curve that is kept states when it was measured, and one of an axis that no longer exists is dropped', () => {
  const earlier = report({ rows: [1, 2], length: [1, 2] });
  const later = { ...report({}), recordedAt: '2026-02-03T04:05:06.000Z' };
  const merged = mergeScaling(earlier, later, ['rows']);
  expect(merged.curves).toEqual([{ ...curve('rows', [1, 2]), recordedAt: earlier.recordedAt }]);
  const again = mergeScaling(merged, { ...later, recordedAt: '2026-03-04T05:06:07.000Z' }, ['rows']);
  expect(again.curves).toEqual(merged.curves);
  expect(parseScalingReport(JSON.stringify(again))).toEqual(again);
  const page = scalingMarkdown(again, [{ name: 'rows', title: 'lines', remark: 'Linear.' }]);
  expect(page).toContain('Linear.\n\nRecorded on 2026-01-02.\n');
});

test('a curve whose last sizes are missing replaces none, but is better than none', () => {
  const part = report({ rows: [5, 6], length: [7, 8] });
  const merged = mergeScaling(report({ rows: [1, 2, 3] }), part, ['rows', 'length'], ['rows', 'length']);
  expect(merged.curves.map(({ points }) => points.map(({ value }) => value))).toEqual([
    [1, 2, 3],
    [7, 8],
  ]);
});

test('the tables of axes that were not measured again are kept, too', () => {
  const table = (axis: string, wait: number) => ({
    ...{ axis, name: axis, notes: [], recordedAt: '2026-01-02T03:04:05.000Z', loadBefore: 0 },
    columns: ['load', 'wait'].map((figure) => ({ figure, title: figure, unit: '' })),
    rows: [[1, wait]],
  });
  const earlier = { ...report({}), tables: [table('temporal', 1), table('mlflow', 2), table('gone', 2)] };
  const measured = { ...report({}), tables: [table('mlflow', 3)] };
  const merged = mergeScaling(earlier, measured, ['rows', 'mlflow', 'temporal']);
  expect(merged.tables).toEqual([table('mlflow', 3), table('temporal', 1)]);
  expect(parseScalingReport(JSON.stringify(merged))).toEqual(merged);
});

test('a report reads back as it was written, and other JSON is no report', () => {
  const written = report({ rows: [1, 2] });
  expect(parseScalingReport(JSON.stringify(written))).toEqual(written);
  expect(parseScalingReport('{}')).toBeUndefined();
  expect(parseScalingReport('')).toBeUndefined();
});

test('the page has a table and a remark for each measured axis', () => {
  const axes = [
    { name: 'rows', title: 'lines', remark: 'Linear.' },
    { name: 'trials', title: 'trials', remark: 'Not measured.' },
  ];
  const page = scalingMarkdown(report({ rows: [1, 10] }), axes);
  expect(page).toContain('## lines\n');
  expect(page).toContain('| a step, ms | 1.00 | 10.0 | 1.00 | 1.00 |\n\nLinear.\n');
  expect(page).not.toContain('trials');
  expect(scalingMarkdown(report({ rows: [1, 10] }), axes, ['## more', ''])).toMatch(/\n\n## more\n$/);
});
