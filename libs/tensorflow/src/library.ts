import { existsSync } from 'node:fs';
import { TensorFlowError, tensorFlowError, TensorFlowMissing } from './errors.js';
import { findCudaLibraries } from './gpu/cuda-libraries.js';
import { hasGpuDevice } from './gpu/gpu-facts.js';
import type { TensorFlowBuild } from './gpu/tensorflow-build.js';
import { installedLibrary, librariesFolder, libraryName } from './installed-library.js';
import { loadNative, type Native, type Pointer, preloadNative } from './native.js';

export interface TensorFlowOptions {
  /**
   * Use oneDNN's CPU kernels. They are about a fifth faster, and their results do not depend on the number of threads, as
   * Eigen's do. The two round differently, so a run must record this. Default true.
   */
  onednn?: boolean;
}

/** The library that this process has loaded. */
export interface TensorFlow {
  /** For example `2.21.0`. */
  readonly version: string;
  /** The path it was loaded from. */
  readonly library: string;
  readonly build: TensorFlowBuild;
  readonly onednn: boolean;
}

let loaded: { tensorflow: TensorFlow; native: Native } | undefined;

/**
 * Loads libtensorflow, once per process. A later call returns the same library, and throws when its options differ.
 * Throws `TensorFlowMissing` when there is no library.
 */
export function openTensorFlow(options: TensorFlowOptions = {}): TensorFlow {
  if (loaded) {
    const { library, onednn } = loaded.tensorflow;
    if (options.onednn !== undefined && options.onednn !== onednn) {
      throw new TensorFlowError(
        `TensorFlow is already open in this process (${library}, oneDNN ${onednn ? 'on' : 'off'}) and cannot be opened with other options`,
        { hint: 'start another process' },
      );
    }
    return loaded.tensorflow;
  }
  const library = tensorFlowLibrary();
  if (!existsSync(library)) throw missing(`${library} does not exist`);
  const onednn = options.onednn ?? true;
  try {
    const native = loadNative(library, environmentOf(onednn), cudaLibrariesOf(library));
    const build = native.isCudaBuild() ? 'cuda' : 'cpu';
    loaded = { native, tensorflow: { version: native.TF_Version(), library, build, onednn } };
  } catch (cause) {
    throw missing(`${library} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return loaded.tensorflow;
}

/**
 * Begins to load the library on another thread, so that a later `openTensorFlow` with the same options takes less time. Reports no
 * error, because `openTensorFlow` does.
 */
export async function preloadTensorFlow({ onednn = true }: TensorFlowOptions = {}): Promise<void> {
  if (loaded) return;
  try {
    const library = tensorFlowLibrary();
    await preloadNative(library, environmentOf(onednn), cudaLibrariesOf(library));
  } catch {
    return;
  }
}

/** The variables that TensorFlow reads while it loads. */
const environmentOf = (onednn: boolean): Record<string, string> => ({
  TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2',
  TF_ENABLE_ONEDNN_OPTS: onednn ? '1' : '0',
  // GPU 1 is that of nvidia-smi. CUDA's own default numbers the fastest card 0.
  CUDA_DEVICE_ORDER: process.env.CUDA_DEVICE_ORDER ?? 'PCI_BUS_ID',
});

/** The libraries of NVIDIA to load before TensorFlow. They take half a second, so that a machine without a GPU loads none. */
const cudaLibrariesOf = (library: string): string[] =>
  hasGpuDevice() ? findCudaLibraries(library).flatMap(({ path }) => path ?? []) : [];

/** The path of the library that is opened; see `installedLibrary`. @throws TensorFlowMissing */
export function tensorFlowLibrary(): string {
  const library = installedLibrary();
  if (library === undefined) throw missing(`there is no ${libraryName} in ${librariesFolder()}/*`);
  return library;
}

/** The C API. Opens the default library when none is open. */
export function nativeApi(): Native {
  if (!loaded) openTensorFlow();
  return loaded!.native;
}

/**
 * Decides whether products of float32 matrices may round their inputs to TF32, with 10 bits in place of 23, on GPUs that are faster with it. Applies to
 * all sessions of the process. TensorFlow's default is true.
 *
 * @returns false when this build of TensorFlow cannot be told, and keeps its default
 */
export function allowTensorFloat32(isAllowed: boolean): boolean {
  const { enableTensorFloat32 } = nativeApi();
  enableTensorFloat32?.(isAllowed);
  return enableTensorFloat32 !== undefined;
}

/**
 * Decides whether ops must give the same bits each time. Some of a GPU's kernels otherwise add numbers in the order in which its threads finish, as the
 * gradient of an embedding does; a processor's never do. Applies to all sessions of the process. TensorFlow's default is false.
 *
 * @returns false when this build of TensorFlow cannot be told, and keeps its default
 */
export function requireDeterministicOps(isRequired: boolean): boolean {
  const { enableOpDeterminism } = nativeApi();
  enableOpDeterminism?.(isRequired);
  return enableOpDeterminism !== undefined;
}

/** Runs `call` with a TF_Status of its own, so that concurrent runs cannot overwrite it, and throws its error. */
export function withStatus<T>(native: Native, call: (status: Pointer) => T, explain = (message: string) => message): T {
  const status = native.TF_NewStatus();
  try {
    const result = call(status);
    throwStatus(native, status, explain);
    return result;
  } finally {
    native.TF_DeleteStatus(status);
  }
}

/** Throws the error in `status`, if any. */
export function throwStatus(native: Native, status: Pointer, explain = (message: string) => message): void {
  const code = native.TF_GetCode(status);
  if (code !== 0) throw tensorFlowError(code, explain(native.TF_Message(status)));
}

function missing(what: string, cause?: unknown): TensorFlowMissing {
  return new TensorFlowMissing(`TensorFlow's library was not found: ${what}`, {
    hint: 'install it with `npx nautil setup`, or set LIBTENSORFLOW to the path of a library',
    cause,
  });
}
