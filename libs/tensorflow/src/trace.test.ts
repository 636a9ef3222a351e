import { Graph, hostTensor, Session, tfjs, type Output, type Tensor } from './index.js';

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

const valueOf = async (output: Output) =>
  Array.from((await session.run({ fetches: [output] }))[0]!.data as Float32Array);
const constant = (shape: number[], ...values: number[]) => graph.constant('float32', shape, values);

test('a tfjs function becomes nodes, and runs with what is fed', async () => {
  const x = graph.placeholder('float32', [2, 2]);
  const y = graph.trace((tf) => graph.output(tf.concat([graph.tensor(x), tf.ones([1, 2])]).sum(0)));
  expect(graph.shapeOf(y)).toEqual([2]);
  const feed = hostTensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4));
  const [value] = await session.run({ feeds: [[x, feed]], fetches: [y] });
  expect(value!.data).toEqual(Float32Array.of(5, 7));
});

test('a trace leaves no tensor behind, even when it fails', () => {
  graph.trace((tf) => tf.softmax(graph.tensor(constant([2], 1, 2))).add(1)); // loads tfjs
  const before = tfjs().memory();
  graph.trace((tf) => {
    const x = graph.tensor(constant([2, 3], 1, 2, 3, 4, 5, 6));
    return graph.output(tf.softmax(tf.matMul(x, x, false, true)).mean());
  });
  const failing = () =>
    graph.trace((tf) => {
      tf.matMul(graph.tensor(constant([2, 3], 1, 2, 3, 4, 5, 6)), tf.ones([3, 2]));
      throw new Error('stop');
    });
  expect(failing).toThrow('stop');
  const after = tfjs().memory();
  expect([after.numTensors, after.numDataBuffers]).toEqual([before.numTensors, before.numDataBuffers]);
});

test('several graphs are traced in one process, one inside the other too', async () => {
  const other = new Graph();
  const otherSession = new Session(other);
  const [mine, theirs] = graph.trace((tf) => {
    const x = graph.tensor(constant([], 3));
    const inner = other.trace((tf) => other.output(tf.square(other.tensor(other.constant('float32', [], [5])))));
    return [graph.output(tf.square(x)), inner];
  });
  expect(await valueOf(mine)).toEqual([9]);
  const [value] = await otherSession.run({ fetches: [theirs] });
  expect(value!.data[0]).toBe(25);
  otherSession.close();
  other.close();
});

test('rows are gathered by indices that only a run knows, and their gradient comes back', async () => {
  const table = constant([3, 2], 1, 2, 3, 4, 5, 6);
  const ids = graph.placeholder('int32', [4]);
  const rows = graph.trace((tf) => graph.output(tf.gather(graph.tensor(table), graph.tensor(ids))));
  const [gradient] = graph.gradients(rows, [table]);
  const feed = hostTensor('int32', [4], Int32Array.of(2, 0, 2, 2));
  const [value, back] = await session.run({ feeds: [[ids, feed]], fetches: [rows, gradient!] });
  expect(value!.data).toEqual(Float32Array.of(5, 6, 1, 2, 5, 6, 5, 6));
  expect(back!.data).toEqual(Float32Array.of(1, 1, 0, 0, 3, 3));
});

test.each<[string, (a: Tensor, b: Tensor) => Tensor, number[], number[]]>([
  ['of rank 2', (a, b) => a.matMul(b), [2, 3], [3, 2]],
  ['of rank 2, both transposed', (a, b) => a.matMul(b, true, true), [3, 2], [2, 3]],
  ['in batches', (a, b) => a.matMul(b, false, true), [2, 2, 3], [2, 2, 3]],
  ['with a broadcast batch', (a, b) => a.matMul(b), [2, 2, 3], [1, 3, 2]],
])('matrices %s are multiplied, with the gradients that differences give', async (_, product, aShape, bShape) => {
  const size = (shape: number[]) => shape.reduce((x, y) => x * y, 1);
  const [a, b] = [graph.placeholder('float32', aShape), graph.placeholder('float32', bShape)];
  const loss = graph.trace(() => graph.output(product(graph.tensor(a), graph.tensor(b)).square().sum()));
  const gradients = graph.gradients(loss, [a, b]);
  const values = [aShape, bShape].map((shape, i) =>
    Float32Array.from({ length: size(shape) }, (_, k) => Math.sin(k + 5 * i)),
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

test('asking a traced tensor for its values, or using it too late, is refused', () => {
  let escaped: Tensor | undefined;
  graph.trace(() => {
    escaped = graph.tensor(constant([], 1));
    expect(() => escaped!.dataSync()).toThrow(/no value before its graph is run/);
  });
  expect(() => graph.trace(() => graph.output(escaped!))).toThrow();
  expect(() => graph.tensor(constant([], 1))).toThrow(/inside graph.trace/);
  expect(() => tfjs().square(2)).toThrow(/no graph is being traced/);
});

test('a tensor of another graph is refused', () => {
  const other = new Graph();
  graph.trace((tf) => {
    const x = graph.tensor(constant([], 1));
    expect(() => other.trace(() => tf.square(x))).toThrow(/into another graph/);
  });
  other.close();
});
