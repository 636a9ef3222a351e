import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  crossEntropy,
  dropout,
  embedding,
  gelu,
  Graph,
  hostTensor,
  linear,
  type Output,
  range,
  relativeDistances,
  relativeShift,
  rotate,
  rotations,
  Session,
  sharedProduct,
  traceGradients,
  windows,
} from './index.js';

let graph: Graph;
let session: Session;
beforeEach(() => {
  graph = new Graph();
  session = new Session(graph);
});
afterEach(() => {
  session.close();
  graph.close();
});

/** The loss of a layer with dropout, and the gradient of its weight. */
function layer(
  weight: Output,
  { x, labels, weights, step }: Record<'x' | 'labels' | 'weights' | 'step', Output>,
): Output[] {
  const { value, gradients } = traceGradients(graph, [weight], ({ tf, tensor }, [w]) => {
    const draw = { seed: 7, step: tensor(step), rowOffset: tf.scalar(2, 'int32') };
    const dropped = dropout(gelu(linear(tensor(x), w!, tf.zeros([4]))), { ...draw, rate: 0.3, site: 1 });
    return crossEntropy(dropped, tensor(labels), tensor(weights));
  });
  return [value, ...gradients];
}

test('XLA computes what TensorFlow does, for several sizes, with the same dropout', async () => {
  const rows = graph.freeSize();
  const inputs = {
    x: graph.placeholder('float32', [rows, 3]),
    labels: graph.placeholder('int32', [rows]),
    weights: graph.placeholder('float32', [rows]),
    step: graph.placeholder('int32', []),
  };
  const weight = graph.constant(
    'float32',
    [4, 3],
    Array.from({ length: 12 }, (_, k) => 3 * Math.sin(k)),
  );
  const usual = graph.withXla(false, () => layer(weight, inputs));
  const compiled = graph.withXla(true, () => layer(weight, inputs));
  const losses: number[] = [];
  for (const [count, at] of [
    [5, 0],
    [5, 1],
    [8, 1],
  ] as const) {
    const results = await session.run({
      feeds: [
        [
          inputs.x,
          hostTensor(
            'float32',
            [count, 3],
            Float32Array.from({ length: 3 * count }, (_, k) => Math.cos(2 * k)),
          ),
        ],
        [
          inputs.labels,
          hostTensor(
            'int32',
            [count],
            Int32Array.from({ length: count }, (_, k) => k % 4),
          ),
        ],
        [inputs.weights, hostTensor('float32', [count], new Float32Array(count).fill(1 / count))],
        [inputs.step, at],
      ],
      fetches: [...usual, ...compiled],
    });
    const [loss, gradient, otherLoss, otherGradient] = results.map(({ data }) => Array.from(data, Number));
    expect(otherLoss![0]).toBeCloseTo(loss![0]!, 5);
    for (const [i, value] of gradient!.entries()) expect(otherGradient![i]).toBeCloseTo(value, 5);
    losses.push(loss![0]!);
  }
  // Masks differ by the step, so that equal losses above mean equal masks.
  expect(Math.abs(losses[0]! - losses[1]!)).toBeGreaterThan(0.01);
});

test('nodes on another device than that of the call are not compiled', () => {
  const seen = graph.onDevice('/device:GPU:0', () =>
    graph.withXla(true, () => [
      graph.isXlaCompiled,
      graph.onDevice('/device:CPU:0', () => graph.isXlaCompiled),
      graph.withXla(false, () => graph.isXlaCompiled),
      graph.isXlaCompiled,
    ]),
  );
  expect([...seen, graph.isXlaCompiled]).toEqual([true, false, false, true, false]);
});

test('XLA places scores by distance, and gathers windows and turns, as TensorFlow does', async () => {
  const [rows, length, size] = [graph.freeSize(), graph.freeSize(), 4];
  const x = graph.placeholder('float32', [rows, length, size]);
  const labels = graph.placeholder('int32', [rows]);
  const weights = graph.placeholder('float32', [rows]);
  const matrix = graph.constant(
    'float32',
    [size, 3 * size],
    Array.from({ length: 12 * size }, (_, k) => Math.sin(k)),
  );
  const build = () => {
    const { value, gradients } = traceGradients(graph, [matrix], ({ tf, tensor }, [w]) => {
      const hidden = linear(windows(tensor(x), 3), w!, undefined).reshape([rows, 1, length, size]);
      const turned = rotate(hidden, rotations(length, size, 100));
      const distances = relativeDistances(length)
        .toFloat()
        .reshape([2 * length, 1]);
      const positions = distances.mul(tf.tensor([0.1, 0.2, -0.1, 0.3], [1, size])).reshape([1, 2 * length, size]);
      const scores = relativeShift(sharedProduct(turned, positions, 'float32'));
      const context = tf.matMul(tf.softmax(scores), hidden).reshape([rows * length, size]);
      return crossEntropy(embedding(context, range(rows, length)), tensor(labels), tensor(weights));
    });
    return [value, ...gradients];
  };
  const usual = graph.withXla(false, build);
  const compiled = graph.withXla(true, build);
  for (const [rowCount, positions] of [
    [2, 5],
    [3, 4],
  ] as const) {
    const data = Float32Array.from({ length: rowCount * positions * size }, (_, k) => Math.cos(2 * k));
    const results = await session.run({
      feeds: [
        [x, hostTensor('float32', [rowCount, positions, size], data)],
        [labels, hostTensor('int32', [rowCount], new Int32Array(rowCount).fill(1))],
        [weights, hostTensor('float32', [rowCount], new Float32Array(rowCount).fill(1))],
      ],
      fetches: [...usual, ...compiled],
    });
    const [loss, gradient, otherLoss, otherGradient] = results.map(({ data: values }) => Array.from(values, Number));
    expect(otherLoss![0]).toBeCloseTo(loss![0]!, 5);
    for (const [i, expected] of gradient!.entries()) expect(otherGradient![i]).toBeCloseTo(expected, 4);
    expect(gradient!.some((number) => Math.abs(number) > 1e-3)).toBe(true);
  }
});
