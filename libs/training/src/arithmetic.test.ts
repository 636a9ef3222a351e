import { expect, test } from '@jest/globals';
import { arithmeticOf } from './arithmetic.js';

const trainer = { precision: 32, compile: false, deterministic: null } as const;
const nautil = { intra_op_threads: 3, tf32: true };

test('the number of threads is the configured one, else that of the cores', () => {
  expect(arithmeticOf('/device:CPU:0', { trainer, nautil })).toMatch(
    /^\/device:CPU:0, TensorFlow [\d.]+ with oneDNN, .+, 3 threads$/,
  );
  const all = { ...nautil, intra_op_threads: 0 };
  expect(arithmeticOf('/device:CPU:0', { trainer, nautil: all })).toMatch(/, [1-9]\d* threads$/);
});

test.each([
  ['16-mixed', '/device:CPU:0', 'bfloat16'],
  ['16-mixed', '/device:GPU:0', 'float16, TF32 on'],
  [16, '/device:GPU:0, /device:GPU:1 of 4 devices', 'float16, TF32 on'],
  ['bf16-mixed', '/device:GPU:0', 'TF32 on'],
] as const)('precision %s on %s is stated as what the device makes of it: %s', (precision, device, stated) => {
  const text = arithmeticOf(device, { trainer: { ...trainer, precision }, nautil });
  expect(text.slice(text.indexOf('3 threads'))).toBe(`3 threads, ${stated}`);
});

test('TF32 and XLA are stated where they have an effect', () => {
  const off = { ...nautil, tf32: false };
  expect(arithmeticOf('/device:GPU:1', { trainer: { ...trainer, compile: true }, nautil: off })).toMatch(
    /, 3 threads, TF32 off, XLA$/,
  );
  expect(arithmeticOf('/device:CPU:0', { trainer, nautil: off })).toMatch(/, 3 threads$/);
});

test('sums in any order are stated on a GPU, where they make two equal runs differ', () => {
  const inAnyOrder = { ...trainer, deterministic: false } as const;
  expect(arithmeticOf('/device:GPU:0', { trainer: inAnyOrder, nautil })).toMatch(
    /, 3 threads, TF32 on, sums in any order$/,
  );
  expect(arithmeticOf('/device:CPU:0', { trainer: inAnyOrder, nautil })).toMatch(/, 3 threads$/);
});
