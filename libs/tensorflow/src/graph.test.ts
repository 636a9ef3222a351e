import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Graph, hostTensor, type Output, Session, TensorFlowError } from './index.js';

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

const floats = (shape: number[], ...values: number[]) => hostTensor('float32', shape, Float32Array.from(values));
const fetchOne = async (output: Output) =>
  Array.from((await session.run({ fetches: [output] }))[0]!.data as Float32Array);

test('nodes have the requested attributes, and the shapes and types that follow', async () => {
  const a = graph.constant('float32', [2, 3], [1, 2, 3, 4, 5, 6]);
  const b = graph.constant('float32', [2, 3], [1, 0, 0, 0, 1, 0]);
  const product = graph.op('MatMul', [a, b], { transpose_b: true }, { name: 'product' });
  expect(graph.shapeOf(product)).toEqual([2, 2]);
  expect(graph.typeOf(product)).toBe('float32');
  expect(graph.describe(product)).toBe('product float32[2,2]');
  expect(await fetchOne(product)).toEqual([1, 2, 4, 5]);
});

test('an op with several outputs returns all of them, and a list input takes an array', async () => {
  const x = graph.constant('float32', [4], [3, 1, 4, 1]);
  const [values, indices] = graph.ops('TopKV2', [x, graph.constant('int32', [], [2])], { sorted: true });
  const both = graph.op('Pack', [[values!, graph.op('Cast', [indices!], { DstT: 'float32' })]]);
  expect(await fetchOne(both)).toEqual([4, 3, 2, 0]);
});

test("TensorFlow's internal ops, whose type begins with an underscore, can be added, and attributes can be lists of texts", async () => {
  const a = graph.constant('float32', [1, 2], [1, -2]);
  const bias = graph.constant('float32', [1], [1]);
  const fused = (fused_ops: string[]) => graph.op('_FusedMatMul', [a, a, [bias]], { transpose_b: true, fused_ops });
  expect(await fetchOne(fused(['BiasAdd']))).toEqual([6]);
  expect(await fetchOne(fused(['BiasAdd', 'Relu']))).toEqual([6]);
  expect(() => graph.op('_FusedMatMul', [a, a, [bias]], { fused_ops: 'BiasAdd' })).toThrow(
    '_FusedMatMul: the attribute fused_ops is of kind list(string) and cannot be "BiasAdd"',
  );
});

test('small equal constants share a node, unless they are on different devices', () => {
  const before = graph.nodeCount;
  const [a, b] = [graph.constant('int32', [2], [1, 2]), graph.constant('int32', [2], [1, 2])];
  expect(a).toBe(b);
  expect(graph.nodeCount).toBe(before + 1);
  graph.onDevice('/device:CPU:0', () => graph.constant('int32', [2], [1, 2]));
  graph.constant('int32', [1, 2], [1, 2]);
  expect(graph.nodeCount).toBe(before + 3);
});

test('a node whose inputs do not fit is refused with its type, its name and their shapes', () => {
  const a = graph.placeholder('float32', [2, 3], 'a');
  const b = graph.placeholder('float32', [4, 5], 'b');
  expect(() => graph.op('MatMul', [a, b], {}, { name: 'm' })).toThrow(
    /MatMul \(node m\) of a = a float32\[2,3\], b = b float32\[4,5\] cannot be built: .*3 and 4/,
  );
});

test('unknown ops, unknown attributes and wrong numbers of inputs are refused with what is accepted', () => {
  const a = graph.placeholder('float32', [2, 3]);
  expect(() => graph.op('MatMull', [a, a])).toThrow('TensorFlow has no op MatMull');
  expect(() => graph.op('MatMul', [a])).toThrow('MatMul takes 2 inputs (a, b), not 1');
  expect(() => graph.op('MatMul', [a, a], { transposeA: true })).toThrow(
    /no attribute transposeA; it has transpose_a, transpose_b/,
  );
  expect(() => graph.op('MatMul', [a, a], { transpose_a: 1 })).toThrow(/transpose_a is of kind bool and cannot be 1/);
});

test('a node that is refused for its attributes leaves the graph usable', async () => {
  const a = graph.constant('float32', [1, 1], [2]);
  expect(() => graph.op('MatMul', [a, a], { nothing: true })).toThrow(TensorFlowError);
  expect(await fetchOne(graph.op('MatMul', [a, a]))).toEqual([4]);
});

test('variables keep their value between runs, and control inputs run first', async () => {
  const variable = graph.variable('v', [2]);
  const start = graph.placeholder('float32', [2]);
  await session.run({ feeds: [[start, floats([2], 1, 2)]], targets: [variable.assign(start)] });
  const ones = graph.constant('float32', [2], [1, 1]);
  await session.run({ targets: [variable.assignAdd(ones)] });
  const subtract = variable.assignSub(graph.constant('float32', [2], [10, 10]));
  expect(await fetchOne(variable.read({ control: [subtract] }))).toEqual([-8, -7]);
  const other = new Session(graph);
  await expect(other.run({ fetches: [variable.read()] })).rejects.toThrow(/v/);
  other.close();
});

test("an optimizer's fused kernel updates its variables", async () => {
  const [w, m, v] = ['w', 'm', 'v'].map((name) => graph.variable(name, [2]));
  const zeros = graph.constant('float32', [2], [0, 0]);
  await session.run({ targets: [w!, m!, v!].map((variable) => variable.assign(zeros)) });
  const scalar = (value: number) => graph.constant('float32', [], [value]);
  const step = graph.op('ResourceApplyAdam', [
    ...[w!, m!, v!].map((variable) => variable.handle),
    ...[0.9, 0.999, 0.1, 0.9, 0.999, 1e-8].map(scalar),
    graph.constant('float32', [2], [3, -5]),
  ]);
  const [value] = await session.run({ fetches: [w!.read({ control: [step] })] });
  // Adam's first step has the size of the learning rate and the opposite sign of the gradient.
  expect(value!.data[0]).toBeCloseTo(-0.1, 5);
  expect(value!.data[1]).toBeCloseTo(0.1, 5);
});

test('a closed graph refuses new nodes', () => {
  const closed = new Graph();
  closed.close();
  expect(() => closed.placeholder('float32', [])).toThrow('the graph is closed');
});
