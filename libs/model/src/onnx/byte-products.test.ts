import { expect, test } from '@jest/globals';
import { OnnxGraph, OnnxSession } from '@nautil/onnx';
import { ByteProducts } from './byte-products.js';

const [rows, inputs, outputs] = [5, 64, 7];
const x = Float32Array.from({ length: rows * inputs }, (_, i) => Math.sin(i * i) * 10 ** (Math.floor(i / inputs) - 2));
const weight = {
  shape: [outputs, inputs],
  data: Float32Array.from({ length: outputs * inputs }, (_, i) => Math.cos(i * 7)),
};

async function product(values: Float32Array, signed: boolean): Promise<Float32Array> {
  const graph = new OnnxGraph();
  const input = graph.input('x', 'float32', ['rows', inputs]);
  const bytes = new ByteProducts(graph, () => weight, signed);
  graph.output(bytes.multiply('w', bytes.round(input)), 'float32', ['rows', outputs]);
  const session = await OnnxSession.create(graph.encode());
  const count = values.length / inputs;
  const result = await session.run({ x: { shape: [count, inputs], data: values } }, [count, outputs]);
  session.close();
  return result;
}

/** The largest absolute value of numbers, divided by 127. */
const stepOf = (values: Float32Array): number => Math.max(...values.map(Math.abs)) / 127;

test.each([true, false])(
  'products are those of numbers rounded to bytes by row and by output; signed: %p',
  async (signed) => {
    const result = await product(x, signed);
    for (let row = 0; row < rows; row++) {
      const numbers = x.subarray(row * inputs, (row + 1) * inputs);
      const step = stepOf(numbers);
      for (let output = 0; output < outputs; output++) {
        const weights = weight.data.subarray(output * inputs, (output + 1) * inputs);
        const scale = stepOf(weights);
        const sum = numbers.reduce((total, n, i) => total + Math.round(n / step) * Math.round(weights[i]! / scale), 0);
        const expected = sum * step * scale;
        // A number between two bytes may be rounded to either: one byte of the row times the largest of the weights.
        expect(Math.abs(result[row * outputs + output]! - expected)).toBeLessThan(step * 1.01);
      }
    }
  },
);

test("a row's product is the same alone, and a row of zeros gives zeros", async () => {
  const together = await product(x, true);
  for (let row = 0; row < rows; row++) {
    const alone = await product(x.slice(row * inputs, (row + 1) * inputs), true);
    expect(alone).toEqual(together.slice(row * outputs, (row + 1) * outputs));
  }
  expect([...(await product(new Float32Array(inputs), true))]).toEqual(new Array(outputs).fill(0));
});

test.each([
  [NaN, 0],
  [NaN, 1],
  [NaN, inputs - 1],
  [Infinity, 5],
  [-Infinity, inputs - 1],
])('a row with %p at %i gives no number, and leaves the other rows as they are', async (value, at) => {
  const sound = await product(x, true);
  const damaged = x.slice();
  damaged[2 * inputs + at] = value;
  const result = await product(damaged, true);
  const rowOf = (values: Float32Array, row: number) => [...values.slice(row * outputs, (row + 1) * outputs)];
  expect(rowOf(result, 2)).toEqual(new Array(outputs).fill(NaN));
  for (const row of [0, 1, 3, 4]) expect(rowOf(result, row)).toEqual(rowOf(sound, row));
});
