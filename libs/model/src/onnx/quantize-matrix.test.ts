import { expect, test } from '@jest/globals';
import { quantizeMatrix } from './quantize-matrix.js';

const matrix = (shape: number[], ...values: number[]) => ({ shape, data: Float32Array.from(values) });

test('weights are transposed and rounded with a scale for each output', () => {
  const weights = matrix([3, 3], 1, -2, 0.5, 127, 64, -127, 0, 0, 0);
  const { bytes, scales, zeroPoint } = quantizeMatrix(weights, { signed: true });
  expect([...bytes]).toEqual([64, 127, 0, -127, 64, 0, 32, -127, 0]);
  expect([...scales]).toEqual([Math.fround(2 / 127), 1, 1]);
  expect(zeroPoint).toBe(0);
});

test('unsigned bytes stand for the numbers of signed ones', () => {
  const weights = matrix([2, 2], 0.3, -0.1, 5, 1);
  const signed = quantizeMatrix(weights, { signed: true });
  const unsigned = quantizeMatrix(weights, { signed: false });
  expect(Array.from(unsigned.bytes, (byte) => byte - unsigned.zeroPoint)).toEqual([...signed.bytes]);
  expect(unsigned.scales).toEqual(signed.scales);
});

test('every weight is within half a step of its byte', () => {
  const data = Float32Array.from({ length: 60 }, (_, index) => Math.sin(index * index) * (1 + index / 7));
  const { bytes, scales } = quantizeMatrix({ shape: [6, 10], data }, { signed: true });
  for (const [index, weight] of data.entries()) {
    const [output, input] = [Math.floor(index / 10), index % 10];
    const scale = scales[output]!;
    expect(Math.abs(weight - scale * bytes[input * 6 + output]!)).toBeLessThanOrEqual((scale / 2) * 1.0001);
  }
});
