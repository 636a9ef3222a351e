import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * NVIDIA's libraries that TensorFlow 2.21 opens by these names, in such an order that each follows those that it needs
 * (xla/tsl/platform/default/dso_loader.cc). cuDNN opens the last but one, and others link to libnvJitLink.
 */
export const cudaLibraryNames = [
  'libcudart.so.12',
  'libnvJitLink.so.12',
  'libcublasLt.so.12',
  'libcublas.so.12',
  'libcufft.so.11',
  'libcusparse.so.12',
  'libcusolver.so.11',
  'libcupti.so.12',
  'libnccl.so.2',
  'libnvrtc.so.12',
  'libcudnn.so.9',
] as const;

export interface CudaLibrary {
  /** The name under which TensorFlow opens it. */
  name: string;

  /** Absent: NVIDIA's packages beside TensorFlow do not contain it. */
  path?: string;
}

/** The folder of NVIDIA's packages, which pip and `nautil setup --gpu` put beside the folder of TensorFlow's library. */
export const nvidiaFolder = (library: string): string => join(dirname(dirname(library)), 'nvidia');

/**
 * Looks for NVIDIA's libraries in `nvidia/<part>/lib`.
 *
 * @param library - the path of libtensorflow_cc.so.2
 * @returns all of them, in `cudaLibraryNames`' order
 */
export function findCudaLibraries(library: string): CudaLibrary[] {
  const nvidia = nvidiaFolder(library);
  const parts = existsSync(nvidia) ? readdirSync(nvidia).sort() : [];
  return cudaLibraryNames.map((name) => {
    const path = parts.map((part) => join(nvidia, part, 'lib', name)).find((candidate) => existsSync(candidate));
    return { name, ...(path === undefined ? {} : { path }) };
  });
}
