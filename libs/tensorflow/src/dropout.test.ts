import { expect, test } from '@jest/globals';
import { dropout, type DropoutOptions } from './dropout.js';
import { Graph, hostTensor, Session, trace, traceGradients } from './index.js';

type Settings = Omit<DropoutOptions, 'step' | 'rowOffset' | 'seed' | 'rate' | 'site'> &
  Partial<{ seed: number; rate: number; site: number; step: number; rowOffset: number }>;

/** Dropout of ones: the masks, already divided by 1 - rate. */
async function maskOf(
  shape: number[],
  { seed = 1, rate = 0.25, site = 3, step = 0, rowOffset = 0, rows }: Settings = {},
) {
  const graph = new Graph();
  const session = new Session(graph);
  const [steps, offsets] = [graph.placeholder('int32', []), graph.placeholder('int32', [])];
  const masked = trace(graph, ({ tf, tensor, output }) =>
    output(dropout(tf.ones(shape), { seed, rate, site, step: tensor(steps), rowOffset: tensor(offsets), rows })),
  );
  const feeds = [steps, offsets].map((output, i) => [output, [step, rowOffset][i]!] as const);
  const [value] = await session.run({ feeds, fetches: [masked] });
  session.close();
  graph.close();
  expect(value!.shape).toEqual(shape);
  return value!.data as Float32Array;
}

test('values are dropped at the given rate, rounded to a multiple of 1/65536, and the rest are divided by 1 - rate', async () => {
  const mask = await maskOf([100, 1000], { rate: 0.1 });
  const dropped = mask.filter((x) => x === 0).length / mask.length;
  expect(dropped).toBeGreaterThan(0.095);
  expect(dropped).toBeLessThan(0.105);
  expect(new Set(mask)).toEqual(new Set([0, Math.fround(65536 / (65536 - 6554))]));
});

test('a rate between two multiples of 1/256 is met over the steps, each of which has one of them', async () => {
  // A quarter of the way from 1/256 to 2/256.
  const counts = await Promise.all(
    Array.from(
      { length: 64 },
      async (_, step) => (await maskOf([64, 256], { rate: 1.25 / 256, step })).filter((x) => x === 0).length,
    ),
  );
  const higher = counts.filter((count) => count > 96); // 64 or 128 of 16,384 are expected
  expect(higher.length).toBeGreaterThan(6);
  expect(higher.length).toBeLessThan(28);
  const mean = counts.reduce((a, b) => a + b) / counts.length / (64 * 256);
  expect(mean).toBeGreaterThan(1.05 / 256);
  expect(mean).toBeLessThan(1.45 / 256);
});

test('the highest rate is 255/256, so that some values remain', async () => {
  const mask = await maskOf([100, 1000], { rate: 0.9999 });
  expect(new Set(mask)).toEqual(new Set([0, 256]));
});

test.each([
  ['of a multiple of four', [6, 2, 4]],
  ['of an odd size', [6, 3, 5]],
  ['of one value', [6]],
])('micro-batches with rows %s draw the masks of the whole batch', async (_, shape) => {
  const [rows = 0, ...rest] = shape;
  const whole = await maskOf(shape);
  const rowSize = whole.length / rows;
  for (const split of [1, 2, 4]) {
    const parts = await Promise.all([
      maskOf([split, ...rest], { rowOffset: 0 }),
      maskOf([rows - split, ...rest], { rowOffset: split }),
    ]);
    expect(parts[0]).toEqual(whole.slice(0, split * rowSize));
    expect(parts[1]).toEqual(whole.slice(split * rowSize));
  }
});

test('masks belong to rows of the batch, whatever the shape of the tensor', async () => {
  expect(await maskOf([12, 5], { rows: 4, rowOffset: 2 })).toEqual(await maskOf([4, 15], { rowOffset: 2 }));
});

test('the mask is a function of seed, site, step and row', async () => {
  const masks = await Promise.all([
    maskOf([4, 64]),
    maskOf([4, 64], { seed: 2 }),
    maskOf([4, 64], { seed: -1 }),
    maskOf([4, 64], { site: 4 }),
    maskOf([4, 64], { step: 1 }),
    maskOf([4, 64], { rowOffset: 4 }),
    maskOf([4, 64], { rowOffset: 2 ** 31 - 1, step: 2 ** 31 - 1 }),
  ]);
  expect(new Set(masks.map((mask) => mask.join())).size).toBe(masks.length);
  expect(await maskOf([4, 64])).toEqual(masks[0]);
});

test('a rate of 0 adds nothing to the graph', () => {
  const graph = new Graph();
  trace(graph, ({ tf, tensor }) => {
    const x = tensor(graph.constant('float32', [2], [1, 2]));
    const before = graph.nodeCount;
    const draw = { seed: 1, site: 0, step: tf.scalar(0, 'int32'), rowOffset: tf.scalar(0, 'int32') };
    expect(dropout(x, { ...draw, rate: 0 })).toBe(x);
    expect(graph.nodeCount).toBe(before);
  });
  graph.close();
});

test('the gradient is masked as the values are', async () => {
  const graph = new Graph();
  const session = new Session(graph);
  const x = graph.placeholder('float32', [4, 8]);
  const { value: y, gradients } = traceGradients(graph, [x], ({ tf }, [input]) => {
    const zero = tf.scalar(0, 'int32');
    return dropout(input!, { seed: 1, rate: 0.5, site: 0, step: zero, rowOffset: zero });
  });
  const ones = hostTensor('float32', [4, 8], new Float32Array(32).fill(1));
  const [value, gradient] = await session.run({ feeds: [[x, ones]], fetches: [y, ...gradients] });
  expect(gradient!.data).toEqual(value!.data);
  session.close();
  graph.close();
});
