import { afterEach, expect, test } from '@jest/globals';
import { precisionOf } from './precision-of.js';

const [cpu, gpu] = ['/device:CPU:0', '/job:worker/replica:0/task:1/device:GPU:3'];
afterEach(() => {
  delete process.env['NAUTIL_FLOAT16_ON_CPU'];
});

test.each([
  [32, 'float32', 'float32'],
  ['32', 'float32', 'float32'],
  ['32-true', 'float32', 'float32'],
  ['bf16', 'bfloat16', 'bfloat16'],
  ['bf16-mixed', 'bfloat16', 'bfloat16'],
  [16, 'bfloat16', 'float16'],
  ['16', 'bfloat16', 'float16'],
  ['16-mixed', 'bfloat16', 'float16'],
] as const)('precision %s is %s on a processor, and %s on a GPU', (precision, onCpu, onGpu) => {
  expect(precisionOf({ precision }, cpu)).toBe(onCpu);
  expect(precisionOf({ precision }, gpu)).toBe(onGpu);
});

test('a variable makes a processor compute as a GPU does, and changes no other format', () => {
  process.env['NAUTIL_FLOAT16_ON_CPU'] = '1';
  expect(precisionOf({ precision: '16-mixed' }, cpu)).toBe('float16');
  expect(precisionOf({ precision: 'bf16-mixed' }, cpu)).toBe('bfloat16');
  expect(precisionOf({ precision: 32 }, cpu)).toBe('float32');
});
