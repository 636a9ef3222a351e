import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { nautilHome } from '@nautil/store';
import { TensorFlowError, TensorFlowMissing, tensorFlowError } from './errors.js';
import { loadNative, type Native, type Pointer } from './native.js';

export interface TensorFlowOptions {
  /** The path of libtensorflow_cc.so.2; default env LIBTENSORFLOW, else the newest under <nautilHome>/tensorflow. */
  library?: string;
  /**
   * Use oneDNN's kernels on the CPU: steps take a fifth less, and give the same bytes whatever the number of threads
   * (Eigen's bytes depend on it). Off and on round differently: record it with a run. Default true.
   */
  onednn?: boolean;
}

/** The loaded library; there is one in a process. */
export interface TensorFlow {
  /** As in `2.21.0`. */
  readonly version: string;
  /** The path that it was loaded from. */
  readonly library: string;
  readonly onednn: boolean;
}

const libraryName = 'libtensorflow_cc.so.2';

let loaded: { tensorflow: TensorFlow; native: Native } | undefined;

/**
 * Loads libtensorflow, once: a second call returns the first one's library, and refuses to open another or with other options.
 * Throws `TensorFlowMissing` when there is none.
 */
export function openTensorFlow(options: TensorFlowOptions = {}): TensorFlow {
  if (loaded) {
    const { library, onednn } = loaded.tensorflow;
    const other = options.library !== undefined && resolve(options.library) !== library;
    if (other || (options.onednn !== undefined && options.onednn !== onednn)) {
      throw new TensorFlowError(
        `TensorFlow is open already in this process (${library}, oneDNN ${onednn ? 'on' : 'off'}) and can't be opened with other options`,
        { hint: 'start another process' },
      );
    }
    return loaded.tensorflow;
  }
  const library = resolve(options.library ?? (process.env['LIBTENSORFLOW'] || newestLibrary()));
  if (!existsSync(library)) throw missing(`${library} does not exist`);
  const onednn = options.onednn ?? true;
  const environment = {
    TF_CPP_MIN_LOG_LEVEL: process.env['TF_CPP_MIN_LOG_LEVEL'] ?? '2',
    TF_ENABLE_ONEDNN_OPTS: onednn ? '1' : '0',
  };
  try {
    const native = loadNative(library, environment);
    loaded = { native, tensorflow: { version: native.TF_Version(), library, onednn } };
  } catch (cause) {
    throw missing(`${library} can't be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return loaded.tensorflow;
}

/** The C API of the open library; opens the default one when none is. */
export function nativeApi(): Native {
  if (!loaded) openTensorFlow();
  return loaded!.native;
}

/** Runs `call` with a TF_Status of its own, which a run on another thread can't overwrite, and throws what it says. */
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

/** Throws the error that `status` holds, if it holds one. */
export function throwStatus(native: Native, status: Pointer, explain = (message: string) => message): void {
  const code = native.TF_GetCode(status);
  if (code !== 0) throw tensorFlowError(code, explain(native.TF_Message(status)));
}

function missing(what: string, cause?: unknown): TensorFlowMissing {
  return new TensorFlowMissing(`TensorFlow's library was not found: ${what}`, {
    hint: 'npm run setup installs it; or name one in LIBTENSORFLOW',
    cause,
  });
}

function newestLibrary(): string {
  const folder = join(nautilHome(), 'tensorflow');
  const versions = existsSync(folder)
    ? readdirSync(folder).filter((version) => existsSync(join(folder, version, libraryName)))
    : [];
  const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  if (!newest) throw missing(`there is no ${libraryName} in ${folder}/*`);
  return join(folder, newest, libraryName);
}
