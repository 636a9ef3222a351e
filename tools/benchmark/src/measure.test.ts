import { expect, test } from '@jest/globals';
import type { Experiment } from './experiment.js';
import { measure } from './measure.js';
import { parseSideOutput } from './side-output.js';

const experiment: Experiment = {
  name: 'experiment',
  rows: [],
  ours: { program: 'a' },
  peer: { program: 'b' },
  repeats: 3,
};

test('the sides run alternately, and their values are joined in order', async () => {
  const order: string[] = [];
  const measured = await measure(experiment, async (_side, whose) => {
    order.push(whose);
    return { figures: { step: [order.length, order.length + 0.5] }, notes: ['two threads'] };
  });
  expect(order).toEqual(['ours', 'peer', 'ours', 'peer', 'ours', 'peer']);
  expect(measured.ours).toEqual({ figures: { step: [1, 1.5, 3, 3.5, 5, 5.5] }, notes: ['two threads'] });
  expect(measured.peer.figures).toEqual({ step: [2, 2.5, 4, 4.5, 6, 6.5] });
});

test('each process of a seeded experiment has a seed of its own, the same on both sides', async () => {
  const args: (string[] | undefined)[] = [];
  await measure({ ...experiment, seeded: true, repeats: 2 }, async (side) => {
    args.push(side.args);
    return { figures: { step: [1] } };
  });
  expect(args).toEqual([1, 1, 2, 2].map((seed) => ['--seed', String(seed)]));
});

test('a side that fails is not started again, and the other one runs to its end', async () => {
  let starts = 0;
  const measured = await measure(experiment, async (_side, whose) => {
    if (whose === 'ours') return { figures: { step: [1] } };
    starts++;
    throw new Error('No module named torch');
  });
  expect(starts).toBe(1);
  expect(measured.ours.figures).toEqual({ step: [1, 1, 1] });
  expect(measured.peer).toEqual({ figures: {}, notes: [], problem: 'No module named torch' });
});

test('the result of a side is the last line of its output', () => {
  expect(parseSideOutput('loading\n{"figures":{"step":[1,2]}}\n')).toEqual({ figures: { step: [1, 2] } });
});

test.each(['', 'done', '{"figures":{"step":[]}}', '{"figures":{"step":["1"]}}', '{"step":[1]}'])(
  'an output that ends with %j is not a result',
  (line) => {
    expect(() => parseSideOutput(`loading\n${line}\n`)).toThrow('the last line is not a result');
  },
);
