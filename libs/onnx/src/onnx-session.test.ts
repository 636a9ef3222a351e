import { expect, test } from '@jest/globals';
import { OnnxGraph, OnnxRuntimeError, OnnxSession } from './index.js';

test('a graph is computed for any number of rows', async () => {
  const graph = new OnnxGraph();
  const x = graph.input('x', 'float32', ['rows', 3]);
  const w = graph.weight('w', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
  graph.output(graph.op('MatMul', [x, w]), 'float32', ['rows', 2]);
  const session = await OnnxSession.create(graph.encode());
  const run = (rows: number, ...values: number[]) =>
    session.run({ x: { shape: [rows, 3], data: Float32Array.from(values) } }, [rows, 2]);
  expect([...(await run(1, 1, 0, 0))]).toEqual([1, 2]);
  expect([...(await run(2, 0, 1, 0, 1, 1, 1))]).toEqual([3, 4, 9, 12]);
  session.close();
});

test('large weights are passed beside the model, and give the numbers of small ones', async () => {
  const size = 1000;
  const graph = new OnnxGraph();
  const x = graph.input('x', 'int32', ['rows']);
  const values = Float32Array.from({ length: size }, (_, index) => index / 7);
  graph.output(graph.op('Gather', [graph.weight('table', [size], values), x]), 'float32', ['rows']);
  const model = graph.encode();
  expect(model.weights.map(({ path }) => path)).toEqual(['table']);
  expect(model.proto.length).toBeLessThan(500);
  const session = await OnnxSession.create(model);
  expect(await session.run({ x: { shape: [2], data: Int32Array.of(999, 3) } }, [2])).toEqual(
    Float32Array.of(values[999]!, values[3]!),
  );
  session.close();
});

test('a sum is normalized over its last axis', async () => {
  const graph = new OnnxGraph();
  const x = graph.input('x', 'float32', ['rows', 2]);
  const sum = graph.op('Add', [x, graph.weight('bias', [2], Float32Array.of(10, 20))]);
  const gain = graph.weight('gain', [2], Float32Array.of(1, 2));
  const shift = graph.weight('shift', [2], Float32Array.of(0, 1));
  const attributes = { axis: { int: -1 }, epsilon: 1e-12 };
  graph.output(graph.op('LayerNormalization', [sum, gain, shift], attributes), 'float32', ['rows', 2]);
  const session = await OnnxSession.create(graph.encode());
  const values = await session.run({ x: { shape: [1, 2], data: Float32Array.of(4, 6) } }, [1, 2]);
  expect([...values]).toEqual([expect.closeTo(-1, 5), expect.closeTo(3, 5)]);
  session.close();
});

test('an unknown operator and an input of another shape are errors that name it', async () => {
  const unknown = new OnnxGraph();
  unknown.output(unknown.op('Nothing', [unknown.input('x', 'float32', [1])]), 'float32', [1]);
  await expect(OnnxSession.create(unknown.encode())).rejects.toThrow(/the model cannot be loaded: .*Nothing/s);

  const graph = new OnnxGraph();
  graph.output(graph.op('Relu', [graph.input('x', 'float32', [2])]), 'float32', [2]);
  const session = await OnnxSession.create(graph.encode());
  const run = session.run({ x: { shape: [3], data: new Float32Array(3) } }, [2]);
  await expect(run).rejects.toThrow(OnnxRuntimeError);
  await expect(run).rejects.toThrow(/index: 0 Got: 3 Expected: 2/);
  session.close();
});

test('an id outside a table is an error, and the process continues', async () => {
  const graph = new OnnxGraph();
  const table = graph.weight('table', [2], Float32Array.of(1, 2));
  graph.output(graph.op('Gather', [table, graph.input('ids', 'int32', ['rows'])]), 'float32', ['rows']);
  const session = await OnnxSession.create(graph.encode());
  await expect(session.run({ ids: { shape: [1], data: Int32Array.of(2) } }, [1])).rejects.toThrow(/must be within/);
  session.close();
});

test('a model that is larger than a file of ONNX can be is refused, before anything of it is copied', () => {
  const graph = new OnnxGraph({ isPortable: true });
  const gigabyte = new Int8Array(2 ** 30);
  for (const name of ['a', 'b']) graph.weight(name, [gigabyte.length], gigabyte);
  expect(() => graph.file()).toThrow(/the model has 2147483\d+ bytes, and an ONNX file at most 2147482624/);
});

test('a portable graph refuses the operators of onnxruntime', () => {
  const graph = new OnnxGraph({ isPortable: true });
  expect(() => graph.fused('BiasGelu', ['x', 'bias'])).toThrow('BiasGelu is not an operator of ONNX');
});
