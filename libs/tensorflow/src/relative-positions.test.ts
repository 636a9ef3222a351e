import { expect, test } from '@jest/globals';
import { Graph, hostTensor, relativeDistances, relativeShift, Session, trace, windows } from './index.js';
import { differentiate, expectClose } from './testing/differentiate.js';

/** y[m, i, j] = x[m, i, T + j - i] */
function shifted(x: ArrayLike<number>, matrices: number, length: number): number[] {
  const values: number[] = [];
  for (let m = 0; m < matrices; m++) {
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) values.push(x[(m * length + i) * 2 * length + length + j - i]!);
    }
  }
  return values;
}

test.each([1, 2, 3, 5])('relativeShift gives each pair of %s positions the score of its distance', async (length) => {
  const { input, value, gradient, differences } = await differentiate([2, 3, length, 2 * length], relativeShift);
  expect(value).toEqual(shifted(input, 6, length));
  expectClose(gradient, differences, 1);
});

test('one graph shifts for every length, and knows the distance of each column', async () => {
  const graph = new Graph();
  const session = new Session(graph);
  const [rows, length] = [graph.freeSize(), graph.freeSize()];
  const x = graph.placeholder('float32', [rows, length]);
  const outputs = trace(graph, ({ tf, tensor, output }) => {
    const distances = relativeDistances(length);
    const scores = tensor(x).reshape([rows, length, 1]).add(distances.toFloat()); // [rows, T, 2T]
    return [output(relativeShift(scores)), output(distances), output(tf.sum(scores))];
  });
  for (const [rowCount, size] of [
    [2, 4],
    [1, 7],
    [3, 1],
  ] as const) {
    const data = Float32Array.from({ length: rowCount * size }, (_, k) => 100 * k);
    const [pairs, distances] = await session.run({
      feeds: [[x, hostTensor('float32', [rowCount, size], data)]],
      fetches: outputs,
    });
    expect(Array.from(distances!.data, Number)).toEqual(Array.from({ length: 2 * size }, (_, c) => c - size));
    const expected = Array.from(data).flatMap((value, at) =>
      Array.from({ length: size }, (_, j) => value + j - (at % size)),
    );
    expect(Array.from(pairs!.data, Number)).toEqual(expected);
  }
  session.close();
  graph.close();
});

test.each([1, 3, 5])('windows of %s positions have the neighbours, and zeros beyond the ends', async (width) => {
  const [rows, length, size] = [2, 3, 2] as const;
  const { input, value, gradient, differences } = await differentiate([rows, length, size], (x) =>
    windows(x.mul(1), width),
  );
  const expected: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < length; t++) {
      for (let w = 0; w < width; w++) {
        const at = t + w - (width - 1) / 2;
        for (let h = 0; h < size; h++)
          expected.push(at >= 0 && at < length ? input[(row * length + at) * size + h]! : 0);
      }
    }
  }
  expect(value).toEqual(expected);
  expectClose(gradient, differences, 1);
});
