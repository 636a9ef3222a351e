import { expect, test } from '@jest/globals';
import {
  embedding,
  gelu,
  Graph,
  hostTensor,
  layerNorm,
  linear,
  matMulIn,
  scaleGradient,
  Session,
  sharedProduct,
  type Tensor,
  tfjs,
  trace,
  traceGradients,
} from './index.js';
import { castTo } from './precision.js';
import { differentiate, expectClose } from './testing/differentiate.js';

test('layerNorm scales each row to mean 0 and variance 1, then applies gain and bias', async () => {
  const gain = [1, 2, 3, 4];
  const bias = [0, 0, 1, -1];
  const { input, value, gradient, differences } = await differentiate([3, 4], (x) =>
    layerNorm(x, tfjs().tensor(gain), tfjs().tensor(bias), 1e-5),
  );
  const expected = [0, 4, 8].flatMap((at) => {
    const row = input.slice(at, at + 4);
    const mean = row.reduce((a, b) => a + b) / 4;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 4;
    return row.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * gain[i]! + bias[i]!);
  });
  expectClose(value, expected, 4);
  expectClose(gradient, differences, 1);
});

test('layerNorm and linear compute without a bias what they do with zeros', async () => {
  const gain = [1, 2, 3, 4];
  const weight = [1, -2, 3, 4, 5, -6, 7, 8];
  for (const [plain, biased] of [
    [
      (x: Tensor) => layerNorm(x, tfjs().tensor(gain), undefined, 1e-5),
      (x: Tensor) => layerNorm(x, tfjs().tensor(gain), tfjs().zeros([4]), 1e-5),
    ],
    [
      (x: Tensor) => linear(x, tfjs().tensor(weight, [2, 4]), undefined),
      (x: Tensor) => linear(x, tfjs().tensor(weight, [2, 4]), tfjs().zeros([2])),
    ],
  ] as const) {
    const actual = await differentiate([3, 4], plain);
    const expected = await differentiate([3, 4], biased);
    expectClose(actual.value, expected.value, 5);
    expectClose(actual.gradient, expected.gradient, 4);
  }
});

test('sharedProduct multiplies every row with the same matrices, and sums their gradients', async () => {
  const left = Array.from({ length: 12 }, (_, k) => Math.cos(k)); // [2, 1, 2, 3]
  const right = Array.from({ length: 12 }, (_, k) => Math.cos(k)); // [1, 4, 3]
  const ofLeft = await differentiate([2, 1, 2, 3], (x) => sharedProduct(x, tfjs().tensor(right, [1, 4, 3]), 'float32'));
  const ofRight = await differentiate([1, 4, 3], (x) => sharedProduct(tfjs().tensor(left, [2, 1, 2, 3]), x, 'float32'));
  const product = (a: readonly number[], b: readonly number[]) =>
    [0, 1, 2, 3].flatMap((i) =>
      [0, 1, 2, 3].map((j) => [0, 1, 2].reduce((sum, d) => sum + a[3 * i + d]! * b[3 * j + d]!, 0)),
    );
  expectClose(ofLeft.value, product(ofLeft.input, right), 4);
  expectClose(ofRight.value, product(left, ofRight.input), 4);
  expectClose(ofLeft.gradient, ofLeft.differences, 1);
  expectClose(ofRight.gradient, ofRight.differences, 1);
});

test('the gradient of an embedding is the sum for each id, and zero for the padding id', async () => {
  const ids = [2, 1, 2, 0];
  const look = (o: { paddingId?: number }) =>
    differentiate([3, 2], (x) => embedding(x, tfjs().tensor1d(ids, 'int32'), o));
  const plain = await look({});
  expectClose(plain.gradient, plain.differences, 1);
  expect(plain.value).toEqual(ids.flatMap((id) => plain.input.slice(2 * id, 2 * id + 2)));
  const padded = await look({ paddingId: 2 });
  expect(padded.value).toEqual(plain.value);
  expect(padded.gradient).toEqual([...plain.gradient.slice(0, 4), 0, 0]);
});

test('gelu is x·Φ(x)', async () => {
  const { input, value, gradient, differences } = await differentiate([6], gelu);
  expectClose(
    value,
    input.map((x) => x * normalCdf(x)),
    5,
  );
  expectClose(gradient, differences, 1);
});

test("linear is torch's: the weight is [out, in], and leading axes are kept", async () => {
  const { input, value, gradient, differences } = await differentiate([2, 2, 2], (x) =>
    linear(x, tfjs().tensor([1, 2, 3, 4, 5, 6], [3, 2]), tfjs().tensor([0, 10, 20])),
  );
  const expected = [0, 2, 4, 6].flatMap((at) => {
    const [a, b] = [input[at]!, input[at + 1]!];
    return [a + 2 * b, 3 * a + 4 * b + 10, 5 * a + 6 * b + 20];
  });
  expectClose(value, expected, 4);
  expectClose(gradient, differences, 0);
});

test.each(['', '/device:CPU:0', '/device:GPU:0'])(
  'linear in bfloat16 has a result and a gradient of the requested types, on %j',
  async (device) => {
    const graph = new Graph();
    const session = new Session(graph);
    const w = graph.constant('float32', [2, 2], [1, 2, 3, 4]);
    const b = graph.constant('float32', [2], [256, 0.5]);
    const fed = graph.placeholder('float32', [1, 2]);
    const x = graph.op('Cast', [fed], { DstT: 'bfloat16' });
    const types: string[] = [];
    const { value, gradients } = graph.onDevice(device, () =>
      traceGradients(graph, [x, w, b], ({ output }, inputs) => {
        const [input, weight, bias] = inputs as [Tensor, Tensor, Tensor];
        const y = linear(input, weight, bias, { precision: 'bfloat16', result: 'bfloat16' });
        types.push(graph.typeOf(output(y)));
        return castTo(y, 'float32').sum();
      }),
    );
    expect([...types, ...gradients.map((output) => graph.typeOf(output))]).toEqual([
      'bfloat16',
      'bfloat16',
      'float32',
      'float32',
    ]);
    const [sum, ...derivatives] = await session.run({
      feeds: [[fed, hostTensor('float32', [1, 2], Float32Array.of(1, 0))]],
      fetches: [value, ...gradients.map((output) => graph.op('Cast', [output], { DstT: 'float32' }))],
    });
    // 1 + 256 needs nine bits and is rounded to 256.
    expect(sum!.data[0]).toBe(256 + 3.5);
    expect(derivatives.map(({ data }) => Array.from(data, Number))).toEqual([
      [4, 6],
      [1, 0, 1, 0],
      [1, 1],
    ]);
    session.close();
    graph.close();
  },
);

test('bfloat16 matmuls round their inputs to 8 bits; products and gradients are float32', async () => {
  const graph = new Graph();
  const session = new Session(graph);
  const x = graph.placeholder('float32', [1, 2]);
  const w = graph.constant('float32', [2, 1], [1, 1]);
  const { value: y, gradients } = traceGradients(graph, [x, w], (_, [a, b]) => matMulIn('bfloat16')(a!, b!));
  expect([y, ...gradients].map((output) => graph.typeOf(output))).toEqual(['float32', 'float32', 'float32']);
  const values = await session.run({
    feeds: [[x, hostTensor('float32', [1, 2], Float32Array.of(1 + 2 ** -10, 256))]],
    fetches: [y, ...gradients],
  });
  expect(values.map(({ data }) => Array.from(data, Number))).toEqual([[256], [1, 1], [1, 256]]);
  session.close();
  graph.close();
});

test('float16 matmuls round inputs, products and gradients to 11 bits, and have no numbers beyond 65504', async () => {
  const graph = new Graph();
  const session = new Session(graph);
  const x = graph.placeholder('float32', [2, 2]);
  const w = graph.constant('float32', [2, 1], [1, 1]);
  const { value: y, gradients } = traceGradients(graph, [x, w], (_, [a, b]) => matMulIn('float16')(a!, b!));
  expect([y, ...gradients].map((output) => graph.typeOf(output))).toEqual(['float32', 'float32', 'float32']);
  const values = await session.run({
    feeds: [[x, hostTensor('float32', [2, 2], Float32Array.of(1 + 2 ** -12, 2048, 60000, 60000))]],
    fetches: [y, ...gradients],
  });
  // 1 + 2048 needs twelve bits.
  expect(values.map(({ data }) => Array.from(data, Number))).toEqual([
    [2048, Infinity],
    [1, 1, 1, 1],
    [60000, 62048],
  ]);
  session.close();
  graph.close();
});

test.each(['', '/device:GPU:0'])(
  'linear in float16 has gradients of the types of its inputs, on %j',
  async (device) => {
    const graph = new Graph();
    const session = new Session(graph);
    const w = graph.constant('float32', [1, 2], [1, 2]);
    const b = graph.constant('float32', [1], [0.5]);
    const fed = graph.placeholder('float32', [1, 2]);
    const x = graph.op('Cast', [fed], { DstT: 'float16' });
    const { value, gradients } = graph.onDevice(device, () =>
      traceGradients(graph, [x, w, b], (_, inputs) => {
        const [input, weight, bias] = inputs as [Tensor, Tensor, Tensor];
        return castTo(linear(input, weight, bias, { precision: 'float16', result: 'float16' }), 'float32').sum();
      }),
    );
    expect(gradients.map((output) => graph.typeOf(output))).toEqual(['float16', 'float32', 'float32']);
    const results = await session.run({
      feeds: [[fed, hostTensor('float32', [1, 2], Float32Array.of(3, 4))]],
      fetches: [value, ...gradients.map((output) => graph.op('Cast', [output], { DstT: 'float32' }))],
    });
    expect(results.map(({ data }) => Array.from(data, Number))).toEqual([[11.5], [1, 2], [3, 4], [1]]);
    session.close();
    graph.close();
  },
);

test('scaleGradient keeps the value, and multiplies the gradient', async () => {
  const graph = new Graph();
  const session = new Session(graph);
  const [x, factor] = [graph.placeholder('float32', [2]), graph.placeholder('float32', [])];
  const { value, gradients } = traceGradients(graph, [x], ({ tensor }, [input]) =>
    scaleGradient(input!.square().sum(), tensor(factor)),
  );
  const results = await session.run({
    feeds: [
      [x, hostTensor('float32', [2], Float32Array.of(1, 2))],
      [factor, 1024],
    ],
    fetches: [value, ...gradients],
  });
  expect(results.map(({ data }) => Array.from(data, Number))).toEqual([[5], [2048, 4096]]);
  session.close();
  graph.close();
});

test('other ops accept 16-bit tensors, and casting to the same type adds nothing', () => {
  const graph = new Graph();
  trace(graph, ({ tf, tensor, output }) => {
    const x = castTo(tensor(graph.constant('float32', [2, 3], [1, 2, 3, 4, 5, 6])), 'bfloat16');
    const moved = tf.softmax(
      x
        .transpose()
        .reshape([6])
        .mul(x.reshape([6])),
    );
    expect(graph.typeOf(output(moved))).toBe('bfloat16');
    expect(castTo(moved, 'bfloat16')).toBe(moved);
  });
  graph.close();
});

/** Φ, by integrating the normal density from 0 with Simpson's rule. */
function normalCdf(x: number): number {
  const steps = 400;
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += density((i * x) / steps) * (i % 2 ? 4 : 2);
  return 0.5 + (sum * x) / steps / 3;
}
