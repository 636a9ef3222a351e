import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DType, HostData } from './host-tensor.js';
import {
  Graph,
  hostTensor,
  OutOfMemory,
  type Output,
  Session,
  TensorFlowError,
  TensorViews,
  traceGradients,
  type Variable,
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

test.each<[DType, HostData]>([
  ['float32', Float32Array.of(1.5, -2, NaN)],
  ['float64', Float64Array.of(1.5, -2, 1e300)],
  ['int32', Int32Array.of(1, -2, 2 ** 31 - 1)],
  ['int64', BigInt64Array.of(1n, -2n, 2n ** 62n)],
  ['uint64', BigUint64Array.of(1n, 2n, 2n ** 64n - 1n)],
  ['uint8', Uint8Array.of(1, 2, 255)],
  ['bool', Uint8Array.of(1, 0, 1)],
  ['bfloat16', Uint16Array.of(0x3f80, 0x4000, 0)],
])('%s values are returned as they were fed', async (dtype, data) => {
  const x = graph.placeholder(dtype, [1, 3]);
  const [value] = await session.run({
    feeds: [[x, hostTensor(dtype, [1, 3], data)]],
    fetches: [graph.op('Identity', [x])],
  });
  expect(value).toEqual({ dtype, shape: [1, 3], data });
});

test('a number feeds a scalar of any type, and empty tensors can be fed', async () => {
  const scalar = graph.placeholder('int64', []);
  const empty = graph.placeholder('float32', [-1, 4]);
  const values = await session.run({
    feeds: [
      [scalar, 7],
      [empty, hostTensor('float32', [0, 4], new Float32Array())],
    ],
    fetches: [graph.op('Identity', [scalar]), graph.op('Identity', [empty])],
  });
  expect(values[0]!.data).toEqual(BigInt64Array.of(7n));
  expect(values[1]!.shape).toEqual([0, 4]);
});

test('the next run sees nodes that were added after a run', async () => {
  const x = graph.constant('float32', [], [2]);
  await session.run({ fetches: [x] });
  const [value] = await session.run({ fetches: [graph.op('Square', [x])] });
  expect(value!.data[0]).toBe(4);
});

test('large variables are assigned and read back, one at a time and together', async () => {
  const size = 3_000_000;
  const names = ['a', 'b', 'c'];
  const variables = names.map((name) => graph.variable(name, [size]));
  const start = graph.placeholder('float32', [size]);
  for (const [i, variable] of variables.entries()) {
    const data = new Float32Array(size).fill(i + 0.5);
    data[size - 1] = -i;
    await session.run({ feeds: [[start, hostTensor('float32', [size], data)]], targets: [variable.assign(start)] });
  }
  const together = await session.run({ fetches: variables.map((variable) => variable.read()) });
  for (const [i, variable] of variables.entries()) {
    const [alone] = await session.run({ fetches: [variable.read()] });
    expect(alone!.data[0]).toBe(i + 0.5);
    expect(alone!.data[size - 1]).toBe(-i);
    expect(Buffer.compare(new Uint8Array(alone!.data.buffer), new Uint8Array(together[i]!.data.buffer))).toBe(0);
  }
});

test('timers fire while a graph runs', async () => {
  const x = graph.placeholder('float32', [1500, 1500]);
  let y = x;
  for (let i = 0; i < 8; i++) y = graph.op('MatMul', [y, x]);
  const ones = hostTensor('float32', [1500, 1500], new Float32Array(1500 * 1500));
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  await session.run({ feeds: [[x, ones]], targets: [y] });
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(5);
});

test('concurrent runs have their own results and errors', async () => {
  const table = graph.constant('float32', [3], [10, 20, 30]);
  const at = graph.placeholder('int32', []);
  const found = graph.op('GatherV2', [table, at, graph.constant('int32', [], [0])]);
  const runs = Array.from({ length: 40 }, (_, i) => session.run({ feeds: [[at, i % 4]], fetches: [found] }));
  const settled = await Promise.allSettled(runs);
  for (const [i, outcome] of settled.entries()) {
    if (i % 4 === 3)
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(TensorFlowError) as unknown });
    else expect(outcome).toMatchObject({ status: 'fulfilled', value: [{ data: Float32Array.of(10 * ((i % 4) + 1)) }] });
  }
});

describe('an error message has the shapes for', () => {
  test('a feed of another shape or type', async () => {
    const x = graph.placeholder('float32', [2, -1], 'x');
    const feed = (tensor: ReturnType<typeof hostTensor>) =>
      session.run({ feeds: [[x, tensor]], targets: [graph.op('Square', [x])] });
    await expect(feed(hostTensor('float32', [3, 2], new Float32Array(6)))).rejects.toThrow(
      'x float32[2,?] cannot be fed with float32[3,2]',
    );
    await expect(feed(hostTensor('int32', [2, 2], new Int32Array(4)))).rejects.toThrow(
      'x float32[2,?] cannot be fed with int32[2,2]',
    );
    await expect(feed(hostTensor('float32', [2, 3], new Float32Array(6)))).resolves.toEqual([]);
  });

  test('values that do not fill their shape', () => {
    expect(() => hostTensor('float32', [2, 2], new Float32Array(3))).toThrow('float32[2,2] needs 4 values, not 3');
    expect(() => hostTensor('int32', [1], new Float32Array(1))).toThrow(
      'int32[1] needs a Int32Array, not a Float32Array',
    );
  });

  test('a placeholder that was not fed', async () => {
    const x = graph.placeholder('float32', [2], 'forgotten');
    await expect(session.run({ fetches: [graph.op('Square', [x])] })).rejects.toThrow(/forgotten/);
  });

  test('an index out of range, with the node and its inputs', async () => {
    const table = graph.constant('float32', [3, 2], [1, 2, 3, 4, 5, 6]);
    const ids = graph.placeholder('int32', [1], 'ids');
    const rows = graph.op('GatherV2', [table, ids, graph.constant('int32', [], [0])], {}, { name: 'rows' });
    const run = session.run({ feeds: [[ids, hostTensor('int32', [1], Int32Array.of(3))]], fetches: [rows] });
    await expect(run).rejects.toThrow(/in GatherV2 \(node rows\) of Const_\d+ float32\[3,2\], ids int32\[1\]/);
    await expect(run).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', kind: 'training', retryable: false });
  });

  test('a tensor that does not fit in memory, after which the session is still usable', async () => {
    const dims = graph.placeholder('int32', [2]);
    const ones = graph.op('Fill', [dims, graph.constant('float32', [], [1])]);
    const sum = graph.op('Sum', [ones, graph.constant('int32', [2], [0, 1])]);
    const run = (size: number) =>
      session.run({ feeds: [[dims, hostTensor('int32', [2], Int32Array.of(size, size))]], fetches: [sum] });
    // TensorFlow's allocator retries for ten seconds before it gives up.
    const failed = await run(3_000_000).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(OutOfMemory);
    expect(failed).toMatchObject({ name: 'OutOfMemory', code: 'RESOURCE_EXHAUSTED', kind: 'training' });
    expect((await run(3))[0]!.data[0]).toBe(9);
  });

  test('a session that is closed', async () => {
    const other = new Session(graph);
    other.close();
    other.close();
    await expect(other.run({})).rejects.toThrow('the session is closed');
    expect(() => other.devices()).toThrow('the session is closed');
  });
});

test('closing a session during a run lets the run finish', async () => {
  const other = new Session(graph);
  const x = graph.placeholder('float32', [600, 600]);
  const product = graph.op('MatMul', [x, x]);
  const sum = graph.op('Sum', [product, graph.constant('int32', [2], [0, 1])]);
  const run = other.run({
    feeds: [[x, hostTensor('float32', [600, 600], new Float32Array(360_000).fill(1))]],
    fetches: [sum],
  });
  other.close();
  expect((await run)[0]!.data[0]).toBe(600 ** 3);
});

test('devices are listed with name, type, and the description in TensorFlow’s own record, which is empty for a processor', () => {
  expect(session.devices()).toContainEqual(
    expect.objectContaining({ name: '/job:localhost/replica:0/task:0/device:CPU:0', type: 'CPU', description: '' }),
  );
});

test('memory stays flat over 1,000 steps', async () => {
  const variable = graph.variable('w', [256, 256]);
  const x = graph.placeholder('float32', [64, 256]);
  const read = variable.read();
  const { value: loss, gradients } = traceGradients(graph, [read], ({ tf, tensor }, [w]) =>
    tf.softmax(tensor(x).matMul(w!)).square().sum(),
  );
  const update = variable.assignSub(gradients[0]!);
  const start = graph.placeholder('float32', [256, 256]);
  const zeros = hostTensor('float32', [256, 256], new Float32Array(256 * 256));
  await session.run({ feeds: [[start, zeros]], targets: [variable.assign(start)] });
  const batch = hostTensor('float32', [64, 256], new Float32Array(64 * 256).fill(0.1));
  // Each step feeds 64 kB and fetches 256 kB; leaked, that would be 320 MB.
  const steps = async (count: number) => {
    for (let i = 0; i < count; i++)
      await session.run({ feeds: [[x, batch]], fetches: [loss, ...gradients], targets: [update] });
  };
  await steps(200);
  const before = process.memoryUsage.rss();
  const nodes = graph.nodeCount;
  await steps(1000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 2 ** 20);
  expect(graph.nodeCount).toBe(nodes);
});

test('a value that is kept in TensorFlow’s memory stays the same while its variable is updated, by every kind of update', async () => {
  const size = 1000;
  const variables = ['a', 'm', 'v'].map((name) => graph.variable(name, [size]));
  const [weight, m, v] = variables as [Variable, Variable, Variable];
  const value = graph.placeholder('float32', [size]);
  const ones = hostTensor('float32', [size], new Float32Array(size).fill(1));
  for (const variable of variables) await session.run({ feeds: [[value, ones]], targets: [variable.assign(value)] });
  const x = (number: number): Output => graph.constant('float32', [], Float32Array.of(number));
  const adam = graph.op('ResourceApplyAdam', [
    ...variables.map(({ handle }) => handle),
    ...[0.9, 0.99, 0.5, 0.9, 0.99, 1e-8].map(x),
    value,
  ]);
  const reads = [weight, m, v].map((variable) => variable.read());
  for (const update of [weight.assignSub(value), weight.assignAdd(value), adam, weight.assign(value)]) {
    const views = new TensorViews();
    const kept = await session.run({ fetches: reads, views });
    const copies = await session.run({ fetches: reads });
    const twos = hostTensor('float32', [size], new Float32Array(size).fill(2));
    await session.run({ feeds: [[value, twos]], targets: [update] });
    expect(kept).toEqual(copies);
    expect((await session.run({ fetches: [reads[0]!] }))[0]!.data).not.toEqual(copies[0]!.data);
    views.release();
    await session.run({ feeds: [[value, ones]], targets: [weight.assign(value)] });
  }
});
