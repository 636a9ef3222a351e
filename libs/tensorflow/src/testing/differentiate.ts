import { expect } from '@jest/globals';
import { Graph, hostTensor, type Output, Session, type Tensor, traceGradients } from '../index.js';

/** The value of `build(x)`, and the derivatives of the sum of its squares: from the graph, and by finite differences. */
export async function differentiate(shape: number[], build: (x: Tensor) => Tensor) {
  const graph = new Graph();
  const session = new Session(graph);
  const x = graph.placeholder('float32', shape);
  let y: Output | undefined;
  const { value: loss, gradients } = traceGradients(graph, [x], ({ output }, [input]) => {
    const result = build(input!);
    y = output(result);
    return result.square().sum();
  });
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, (_, k) => 2 * Math.sin(3 * k + 1));
  const run = async (output: Output) =>
    Array.from(
      (await session.run({ feeds: [[x, hostTensor('float32', shape, data)]], fetches: [output] }))[0]!.data,
      Number,
    );
  const value = await run(y!);
  const gradient = await run(gradients[0]!);
  const differences: number[] = [];
  for (let k = 0; k < size; k++) {
    const kept = data[k]!;
    const at = async (moved: number) => {
      data[k] = moved;
      return (await run(loss))[0]!;
    };
    differences.push(((await at(kept + 0.01)) - (await at(kept - 0.01))) / 0.02);
    data[k] = kept;
  }
  session.close();
  graph.close();
  return { input: Array.from(data), value, gradient, differences };
}

export function expectClose(actual: number[], expected: number[], digits: number): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i]!, digits);
}
