import { expect, test } from '@jest/globals';
import { arithmeticOf } from './arithmetic.js';

test('the number of threads is the configured one, else that of the cores', () => {
  expect(arithmeticOf('/device:CPU:0', { intra_op_threads: 3 })).toMatch(
    /^\/device:CPU:0, TensorFlow [\d.]+ with oneDNN, .+, 3 threads$/,
  );
  expect(arithmeticOf('/device:CPU:0', { intra_op_threads: 0 })).toMatch(/, [1-9]\d* threads$/);
});
