import type { Graph } from './graph.js';
import { range } from './layers.js';
import type { Output } from './native.js';
import type { Tensor } from './tfjs-types.js';
import { currentTrace, differentiable } from './trace.js';

/**
 * The distances that belong to the columns of `relativeShift`: int32 [2T], -T, …, T - 1.
 *
 * @param length - T, which may be a free size
 */
export function relativeDistances(length: number): Tensor {
  const { graph, tensor } = currentTrace('relativeDistances()');
  return range(2 * length).sub(tensor(graph.sizeOf(length)));
}

/**
 * Places scores by distance at the pairs of positions that have it: y[…, i, j] = x[…, i, T + j - i]. Column c of `x` belongs to the
 * distance j - i = c - T; no pair has the first column's. This is the "skewing" of Music Transformer (Huang et al., 2018): rows of 2T
 * numbers that are read as rows of 2T - 1 move by one column from row to row. It takes two slices where a gather takes an index per value.
 *
 * @param x - [..., T, 2T]; T may be a free size
 * @returns [..., T, T]
 */
export function relativeShift(x: Tensor): Tensor {
  const [length] = x.shape.slice(-2) as [number];
  const leading = x.shape.slice(0, -2);
  const matrices = leading.reduce((size, dim) => size * dim, 1);
  const shift = (from: Tensor, build: (graph: Graph, values: Output) => Output, width: number): Tensor => {
    const { graph, tensor, output } = currentTrace('relativeShift()');
    const shape = [...leading, length, width];
    const shifted = graph.op('Reshape', [build(graph, output(from)), graph.shapeVector(shape)]);
    return tensor(graph.assumeShape(shifted, shape));
  };
  return differentiable(
    [x],
    () => shift(x, (graph, values) => placePairs(graph, values, { matrices, length }), length),
    (dy) => [shift(dy, (graph, values) => collectDistances(graph, values, { matrices, length }), 2 * length)],
  );
}

interface Matrices {
  /** Number of matrices. */
  matrices: number;
  /** T */
  length: number;
}

/** [matrices · T · 2T] -> [matrices, T, T]: from value T on, there are T rows of 2T - 1 values, each of which starts with its pairs. */
function placePairs(graph: Graph, values: Output, { matrices, length }: Matrices): Output {
  const flat = graph.op('Reshape', [values, graph.shapeVector([matrices, 2 * length * length])]);
  const begin = graph.op('Pack', [[graph.sizeOf(0), graph.sizeOf(length)]]);
  const rest = graph.op('Slice', [flat, begin, graph.constant('int32', [2], [-1, -1])]);
  const shape = graph.op('Pack', [[graph.sizeOf(matrices), graph.sizeOf(length), oddWidth(graph, length)]]);
  const rows = graph.op('Reshape', [rest, shape]);
  return graph.op('Slice', [rows, graph.shapeVector([0, 0, 0]), graph.shapeVector([matrices, length, length])]);
}

/** The derivative of `placePairs`: each value returns to its place among zeros. [matrices, T, T] -> [matrices, T · 2T] */
function collectDistances(graph: Graph, values: Output, { matrices, length }: Matrices): Output {
  const square = graph.op('Reshape', [values, graph.shapeVector([matrices, length, length])]);
  const [none, all] = [graph.sizeOf(0), graph.sizeOf(length)];
  const allButOne = graph.op('Sub', [all, graph.sizeOf(1)]);
  const rows = pad(graph, square, [
    [none, none],
    [none, none],
    [none, allButOne],
  ]); // [matrices, T, 2T - 1]
  const rowsSize = graph.op('Mul', [all, oddWidth(graph, length)]);
  const flat = graph.op('Reshape', [rows, graph.op('Pack', [[graph.sizeOf(matrices), rowsSize]])]);
  return pad(graph, flat, [
    [none, none],
    [all, none],
  ]);
}

/** 2T - 1 as an int32 scalar. */
const oddWidth = (graph: Graph, length: number): Output => graph.op('Sub', [graph.sizeOf(2 * length), graph.sizeOf(1)]);

/** Adds zeros before and after the values of each axis. */
function pad(graph: Graph, x: Output, paddings: readonly (readonly [Output, Output])[]): Output {
  return graph.op('Pad', [x, graph.op('Pack', [paddings.map((pair) => graph.op('Pack', [pair]))])]);
}

/**
 * Each position's window: its own vector and its neighbours', with zeros beyond the ends.
 *
 * @param x - [B, T, H]; B and T may be free sizes
 * @param width - positions per window, an odd number
 * @returns [B, T, width·H], the leftmost neighbour first
 */
export function windows(x: Tensor, width: number): Tensor {
  const { tf } = currentTrace('windows()');
  const shape = x.shape as [number, number, number];
  const reach = (width - 1) / 2;
  const offsets = Array.from({ length: width }, (_, index) => index - reach);
  return differentiable(
    [x],
    () =>
      tf.concat(
        offsets.map((offset) => translate(x, offset)),
        -1,
      ),
    (dy) =>
      [tf.addN(tf.split(dy, width, -1).map((part, index) => translate(part, reach - index)))].map((dx) =>
        dx.reshape(shape),
      ),
  );
}

/** y[b, t] = x[b, t + offset], or zeros beyond the ends. [B, T, H] -> [B, T, H] */
function translate(x: Tensor, offset: number): Tensor {
  if (offset === 0) return x;
  const { graph, tensor, output } = currentTrace('windows()');
  const size = graph.constant('int32', [], [Math.abs(offset)]);
  const none = graph.sizeOf(0);
  const padded = pad(graph, output(x), [[none, none], offset < 0 ? [size, none] : [none, size], [none, none]]);
  const begin = graph.constant('int32', [3], [0, Math.max(offset, 0), 0]);
  return tensor(graph.assumeShape(graph.op('Slice', [padded, begin, graph.shapeVector(x.shape)]), x.shape));
}
