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
});
