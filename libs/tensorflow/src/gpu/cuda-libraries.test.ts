import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { cudaLibraryNames, findCudaLibraries } from './cuda-libraries.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-cuda-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const library = join(folder, 'tensorflow/2.21.0-gpu/libtensorflow_cc.so.2');

/** An empty file in the folder of NVIDIA's packages. */
function install(path: string): string {
  const installed = join(folder, 'tensorflow/nvidia', path);
  mkdirSync(dirname(installed), { recursive: true });
  writeFileSync(installed, '');
  return installed;
}

test('without NVIDIA’s packages, no library has a path', () => {
  expect(findCudaLibraries(library)).toEqual(cudaLibraryNames.map((name) => ({ name })));
});

test('libraries are found in the folder of any package, in the order in which they need each other', () => {
  install('cudnn/lib/libcudnn_graph.so.9');
  install('cublas/include/libcublas.so.12');
  const cudnn = install('cudnn/lib/libcudnn.so.9');
  const blas = install('cublas/lib/libcublas.so.12');
  const light = install('cublas/lib/libcublasLt.so.12');
  const runtime = install('cuda_runtime/lib/libcudart.so.12');
  const found = findCudaLibraries(library);
  expect(found.map(({ name }) => name)).toEqual(cudaLibraryNames);
  expect(found.flatMap(({ path }) => path ?? [])).toEqual([runtime, light, blas, cudnn]);
});
