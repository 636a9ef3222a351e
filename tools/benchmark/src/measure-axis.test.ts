import { expect, test } from '@jest/globals';
import type { Axis } from './axis.js';
import { measureAxis } from './measure-axis.js';

const axis: Axis = {
  ...{ name: 'rows', title: 'rows', remark: 'Linear.', sizes: [], quickSizes: [], program: 'steps' },
  args: (size) => ['--rows', String(size)],
  figures: { step: { title: 'a step', unit: 'ms' }, peak: { title: 'peak memory', unit: 'MB' } },
};

const linear = (_program: string, [, size]: readonly string[]) =>
  Promise.resolve({ figures: { step: [3 * Number(size), 2 * Number(size)], peak: [100] } });

test('each figure has a curve of its best values, and each size is known as soon as it is measured', async () => {
  const seen: unknown[] = [];
  const { curves, problem } = await measureAxis(axis, [1, 10], linear, (size, values) => seen.push([size, values]));
  expect(problem).toBeUndefined();
  expect(curves).toMatchObject([
    {
      figure: 'step',
      points: [
        { size: 1, value: 2 },
        { size: 10, value: 20 },
      ],
      exponent: expect.closeTo(1),
    },
    {
      figure: 'peak',
      points: [
        { size: 1, value: 100 },
        { size: 10, value: 100 },
      ],
      exponent: 0,
    },
  ]);
  expect(seen[0]).toEqual([
    1,
    [
      { figure: 'step', value: 2, unit: 'ms' },
      { figure: 'peak', value: 100, unit: 'MB' },
    ],
  ]);
});

test('a size that fails ends the axis, and the curves have the sizes before it', async () => {
  const run = (program: string, args: readonly string[]) => {
    if (args[1] === '100') throw new Error('exit code 1: out of memory');
    return linear(program, args);
  };
  const { curves, problem } = await measureAxis(axis, [1, 10, 100, 1000], run);
  expect(problem).toBe('rows 100: exit code 1: out of memory');
  expect(curves.map(({ points }) => points.map(({ size }) => size))).toEqual([
    [1, 10],
    [1, 10],
  ]);
  expect(await measureAxis(axis, [100, 1000], run)).toEqual({ curves: [], problem });
});

test.each([
  ['is missing', {}],
  ['is 0, which has no logarithm', { peak: [0] }],
  ['is not a number', { peak: [NaN] }],
])('a figure that %s is a problem, not a curve without an exponent', async (_, peak) => {
  const run = () => Promise.resolve({ figures: { step: [1], ...peak } });
  expect(await measureAxis(axis, [1, 10], run)).toEqual({
    curves: [],
    problem: 'rows 1: the program has measured no peak above 0',
  });
});
