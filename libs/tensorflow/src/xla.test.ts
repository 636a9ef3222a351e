import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  crossEntropy,
  dropout,
  gelu,
  Graph,
  hostTensor,
  linear,
  type Output,
  Session,
  traceGradients,
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
