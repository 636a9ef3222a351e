import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  embedding,
  Graph,
  hostTensor,
  type Output,
  Session,
  type Tensor,
  tfjs,
  trace,
  traceGradients,
} from './index.js';
import { currentTrace, differentiable } from './trace.js';

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

const fetchOne = async (output: Output) =>
  Array.from((await session.run({ fetches: [output] }))[0]!.data as Float32Array);
const constant = (shape: number[], ...values: number[]) => graph.constant('float32', shape, values);

test('a tfjs function becomes nodes, which run with the values that are fed', async () => {
  const x = graph.placeholder('float32', [2, 2]);
  const y = trace(graph, ({ tf, tensor, output }) => output(tf.concat([tensor(x), tf.ones([1, 2])]).sum(0)));
  expect(graph.shapeOf(y)).toEqual([2]);
  const feed = hostTensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4));
  const [value] = await session.run({ feeds: [[x, feed]], fetches: [y] });
  expect(value!.data).toEqual(Float32Array.of(5, 7));
});

test('a trace leaves no tensor behind, even when its callback throws', () => {
  trace(graph, ({ tf, tensor }) => tf.softmax(tensor(constant([2], 1, 2))).add(1)); // loads tfjs
  const before = tfjs().memory();
  trace(graph, ({ tf, tensor, output }) => {
    const x = tensor(constant([2, 3], 1, 2, 3, 4, 5, 6));
    return output(tf.softmax(tf.matMul(x, x, false, true)).mean());
  });
  const failing = () =>
    trace(graph, ({ tf, tensor }) => {
      tf.matMul(tensor(constant([2, 3], 1, 2, 3, 4, 5, 6)), tf.ones([3, 2]));
      throw new Error('stop');
    });
  expect(failing).toThrow('stop');
  const after = tfjs().memory();
  expect([after.numTensors, after.numDataBuffers]).toEqual([before.numTensors, before.numDataBuffers]);
});

test('traces of different graphs can be nested', async () => {
  const other = new Graph();
  const otherSession = new Session(other);
  const [mine, theirs] = trace(graph, ({ tf, tensor, output }) => {
    const x = tensor(constant([], 3));
    const inner = trace(other, (nested) =>
      nested.output(nested.tf.square(nested.tensor(other.constant('float32', [], [5])))),
    );
    return [output(tf.square(x)), inner];
  });
  expect(await fetchOne(mine)).toEqual([9]);
  const [value] = await otherSession.run({ fetches: [theirs] });
  expect(value!.data[0]).toBe(25);
  otherSession.close();
  other.close();
});

test('rows are gathered by indices that are fed, and the gradient reaches their table', async () => {
  const table = constant([3, 2], 1, 2, 3, 4, 5, 6);
  const ids = graph.placeholder('int32', [4]);
  const { value: rows, gradients } = traceGradients(graph, [table], ({ tensor }, [x]) => embedding(x!, tensor(ids)));
  const feed = hostTensor('int32', [4], Int32Array.of(2, 0, 2, 2));
  const [value, back] = await session.run({ feeds: [[ids, feed]], fetches: [rows, ...gradients] });
  expect(value!.data).toEqual(Float32Array.of(5, 6, 1, 2, 5, 6, 5, 6));
  expect(back!.data).toEqual(Float32Array.of(1, 1, 0, 0, 3, 3));
});

test.each<[string, (a: Tensor, b: Tensor) => Tensor, number[], number[]]>([
  ['of rank 2', (a, b) => a.matMul(b), [2, 3], [3, 2]],
  ['of rank 2, both transposed', (a, b) => a.matMul(b, true, true), [3, 2], [2, 3]],
  ['in batches', (a, b) => a.matMul(b, false, true), [2, 2, 3], [2, 2, 3]],
])('the product of matrices %s has the gradients that finite differences give', async (_, product, aShape, bShape) => {
  const size = (shape: number[]) => shape.reduce((x, y) => x * y, 1);
  const [a, b] = [graph.placeholder('float32', aShape), graph.placeholder('float32', bShape)];
  const { value: loss, gradients } = traceGradients(graph, [a, b], (_trace, [x, y]) => product(x!, y!).square().sum());
  const values = [aShape, bShape].map((shape, i) =>
    Float32Array.from({ length: size(shape) }, (__, k) => Math.sin(k + 5 * i)),
  );
  const run = (fetches: Output[]) =>
    session.run({
      feeds: [
        [a, hostTensor('float32', aShape, values[0]!)],
        [b, hostTensor('float32', bShape, values[1]!)],
      ],
      fetches,
    });
  const exact = await run(gradients);
  for (const [input, data] of values.entries()) {
    for (let k = 0; k < data.length; k++) {
      const kept = data[k]!;
      data[k] = kept + 0.01;
      const above = (await run([loss]))[0]!.data[0] as number;
      data[k] = kept - 0.01;
      const below = (await run([loss]))[0]!.data[0] as number;
      data[k] = kept;
      expect(exact[input]!.data[k]).toBeCloseTo((above - below) / 0.02, 1);
    }
  }
});

test('reading the values of a traced tensor, and using it after its trace, are refused', () => {
  const { ended, escaped } = trace(graph, (running) => {
    const x = running.tensor(constant([], 1));
    expect(() => x.dataSync()).toThrow(/no value until its graph is run/);
    return { ended: running, escaped: x };
  });
  expect(() => trace(graph, ({ output }) => output(escaped))).toThrow(
    'this traced tensor was released when its trace ended',
  );
  expect(() => ended.tensor(constant([], 1))).toThrow('tensor() must be called inside trace()');
  expect(() => currentTrace('dropout()')).toThrow('dropout() must be called inside trace()');
  expect(() => tfjs().square(2)).toThrow(/no graph is being traced/);
});

test('a tensor of another graph is refused', () => {
  const other = new Graph();
  trace(graph, ({ tf, tensor }) => {
    const x = tensor(constant([], 1));
    expect(() => trace(other, () => tf.square(x))).toThrow(/into another graph/);
  });
  other.close();
});

describe('gradients', () => {
  test('are those of the sum of the result', async () => {
    const { gradients } = traceGradients(graph, [constant([3], 1, 2, 3)], (_, [x]) => x!.square());
    expect(await fetchOne(gradients[0]!)).toEqual([2, 4, 6]);
  });

  test('with respect to an input that the result does not depend on are refused', () => {
    const xs = [constant([3], 1, 2, 3), constant([], 4)];
    expect(() => traceGradients(graph, xs, (_, [x]) => x!.square())).toThrow(/gradient/i);
  });

  test('are placed on the current device', () => {
    const { gradients } = graph.onDevice('/device:GPU:1', () =>
      traceGradients(graph, [constant([2], 1, 2)], (_, [x]) => x!.square()),
    );
    expect(graph.describeNode(graph.describe(gradients[0]!).split(' ')[0]!)).toMatch(/, on \/device:GPU:1\)/);
  });

  test('of a function with a gradient of its own are those that it gives', async () => {
    const x = constant([2], 3, 5);
    const { value, gradients } = traceGradients(graph, [x], (_, [input]) =>
      differentiable(
        [input!],
        (save) => {
          save(input!);
          return input!.square();
        },
        (dy, [saved]) => [dy.mul(saved!).mul(100)],
      ),
    );
    expect(await fetchOne(value)).toEqual([9, 25]);
    expect(await fetchOne(gradients[0]!)).toEqual([300, 500]);
  });
});
