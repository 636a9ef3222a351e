import { expect, test } from '@jest/globals';
import { processorOf } from './processor.js';

test.each([
  ['flags\t\t: fpu sse2 avx avx2 fma', 'AVX2', false],
  ['flags\t\t: fpu avx avx2 avx512f avx512_vnni', 'AVX-512', false],
  ['flags\t\t: avx2 avx512f avx512_bf16', 'AVX-512 + bfloat16', true],
  ['flags\t\t: avx2 avx512f avx512_bf16 amx_tile amx_bf16', 'AVX-512 + AMX + bfloat16', true],
  ['Features\t: fp asimd bf16', 'NEON + bfloat16', true],
  ['model name\t: avx512f', `${process.arch} without known vector instructions`, false],
  ['', `${process.arch} without known vector instructions`, false],
])('the instructions of a processor are read from its flags: %j', (cpuInfo, instructions, hasBfloat16) => {
  expect(processorOf(cpuInfo)).toEqual({ instructions, hasBfloat16 });
});
