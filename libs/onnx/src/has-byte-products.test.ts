import { expect, test } from '@jest/globals';
import { hasByteProducts } from './has-byte-products.js';

test.each([
  ['flags : fma avx2 avx512f avx512_vnni avx512_bf16', true],
  ['flags : fma avx2 avx_vnni', true],
  ['flags : fma avx2 avx512f avx512dq', false],
  ['', false],
])('%s', (cpuInfo, expected) => {
  expect(hasByteProducts(cpuInfo)).toBe(expected);
});
