import { expect, test } from '@jest/globals';
import { growthChart, ratioChart, runsChart } from './charts.js';
import type { Row } from './row.js';

const row: Row = {
  ...{ experiment: 'step', name: 'a step', ours: [2, 3], peer: [4], unit: 's', ratioOf: 'speed', ratio: 2 },
  ...{ target: null, met: null, notes: [] },
};

const numbers = (text: string): number[] => text.split(/[ ,]+/).map(Number);

interface Shape {
  x: number;
  end: number;
}

/** The horizontal extent of every text, in the widest common font, and the width of the chart. */
function extentsOf(chart: string): { texts: Shape[]; width: number } {
  const [, , width = 0] = numbers(/viewBox="([^"]+)"/.exec(chart)?.[1] ?? '');
  const texts = [...chart.matchAll(/<text x="([^"]+)" y="[^"]+" text-anchor="(\w+)"[^>]*>([^<]*)</g)].map(
    ([, at, anchor, content = '']) => {
      const length = 7.3 * content.length;
      const x = Number(at) - (anchor === 'end' ? length : anchor === 'middle' ? length / 2 : 0);
      return { x, end: x + length };
    },
  );
  return { texts, width };
}

const curve = (title: string, values: number[]) => ({
  ...{ title, unit: 'MB' },
  points: values.map((value, at) => ({ size: 10 ** (at + 1), value })),
});

test.each([
  [
    'ratios',
    ratioChart([{ ...row, name: 'inference on 1,821 test sentences, sorted, batch 32, float32 (onnxruntime)' }]),
  ],
  ['runs', runsChart([{ ...row, name: 'whole command: tokenise, epoch, evaluate dev and test, package, float32' }])],
  ['growth', growthChart('lines', [curve('from the token cache to the end of the first step', [1.42, 1.4, 1.48])])],
])('no text of the chart of %s is cut off', (_, chart) => {
  const { texts, width } = extentsOf(chart);
  expect(texts.length).toBeGreaterThan(1);
  for (const { x, end } of texts) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(end).toBeLessThanOrEqual(width);
  }
});

test('dashes are linear growth for every curve, whatever the others are', () => {
  const curves = [
    curve('time', [0.07, 0.4, 4, 38]),
    curve('memory', [820, 828, 837, 838]),
    curve('cubes', [1, 1e3, 1e6]),
  ];
  const chart = growthChart('lines', curves);
  const slopes = [...chart.matchAll(/points="([^"]+)"[^>]*stroke-dasharray/g)].map(([, points = '']) => {
    const [x1 = NaN, y1 = NaN, x2 = NaN, y2 = NaN] = numbers(points);
    expect(x2).toBeGreaterThan(x1);
    return (y1 - y2) / (x2 - x1);
  });
  // 360 pixels are three powers of ten, and 240 pixels are those from 0.07 to twice a million.
  const expected = 240 / Math.log10(2e6 / 0.07) / (360 / 3);
  expect(slopes).toEqual(curves.map(() => expect.closeTo(expected, 1)));
});

test('each of eight curves has a colour of its own', () => {
  const chart = growthChart(
    'lines',
    Array.from({ length: 8 }, (_, at) => curve(`curve ${at}`, [1, 2 + at])),
  );
  const colours = [...chart.matchAll(/<rect [^>]*fill="([^"]+)"/g)].map(([, colour]) => colour);
  expect(new Set(colours).size).toBe(8);
});

test.each([
  [[-0.5, 0.2], []],
  [[-2, -1], []],
  [[0, 0], [0]],
])('runs with the values %j and %j stay within the axis', (ours, peer) => {
  const chart = runsChart([{ ...row, ours, peer }]);
  const [, from, to] = /<line x1="([^"]+)" x2="([^"]+)"/.exec(chart) ?? [];
  for (const [, x] of chart.matchAll(/<circle cx="([^"]+)"/g)) {
    expect(Number(x)).toBeGreaterThanOrEqual(Number(from));
    expect(Number(x)).toBeLessThanOrEqual(Number(to));
  }
});

test('a ratio that is infinite has no bar', () => {
  const chart = ratioChart([{ ...row, ratioOf: 'size', ours: [0], ratio: 0 }, row]);
  expect(chart.match(/<rect /g)).toHaveLength(1);
  expect(chart).not.toMatch(/NaN|Infinity/);
});
