import { dirname, join } from 'node:path';
import koffi, { type LibraryHandle } from 'koffi';
import { releaseLinkedPages } from './release-linked-pages.js';

/** An address in the library's memory. */
export type Pointer = bigint;

/** One output of a graph's node: the value that flows along an edge. */
export interface Output {
  /** The node, a TF_Operation*. */
  readonly oper: Pointer;
  /** Index among the node's outputs. */
  readonly index: number;
}

type Memory = ArrayBufferView | Pointer | null;

// Anonymous: koffi registers type names per process and rejects a second registration, which Jest would make.
const output = koffi.struct({ oper: 'void *', index: 'int' });
const pointer = 'void *';
const strings = koffi.pointer('str');

/** The functions of TensorFlow's C API (tensorflow/c/c_api.h) that are called here, as `name: [result, arguments]`. */
const signatures = {
  TF_Version: ['str', []],
  TF_NewStatus: [pointer, []],
  TF_DeleteStatus: ['void', [pointer]],
  TF_GetCode: ['int', [pointer]],
  TF_Message: ['str', [pointer]],
  TF_NewBuffer: [pointer, []],
  TF_DeleteBuffer: ['void', [pointer]],

  TF_NewGraph: [pointer, []],
  TF_DeleteGraph: ['void', [pointer]],
  TF_GraphGetOpDef: ['void', [pointer, 'str', pointer, pointer]],
  TF_GraphOperationByName: [pointer, [pointer, 'str']],
  TF_GraphGetTensorNumDims: ['int', [pointer, output, pointer]],
  TF_GraphSetTensorShape: ['void', [pointer, output, pointer, 'int', pointer]],
  TF_GraphGetTensorShape: ['void', [pointer, output, pointer, 'int', pointer]],

  TF_NewOperation: [pointer, [pointer, 'str', 'str']],
  TF_FinishOperation: [pointer, [pointer, pointer]],
  TF_SetDevice: ['void', [pointer, 'str']],
  TF_AddInput: ['void', [pointer, output]],
  TF_AddInputList: ['void', [pointer, pointer, 'int']],
  TF_AddControlInput: ['void', [pointer, pointer]],
  TF_SetAttrString: ['void', [pointer, 'str', pointer, 'size_t']],
  TF_SetAttrStringList: ['void', [pointer, 'str', strings, pointer, 'int']],
  TF_SetAttrInt: ['void', [pointer, 'str', 'int64_t']],
  TF_SetAttrIntList: ['void', [pointer, 'str', pointer, 'int']],
  TF_SetAttrFloat: ['void', [pointer, 'str', 'float']],
  TF_SetAttrFloatList: ['void', [pointer, 'str', pointer, 'int']],
  TF_SetAttrBool: ['void', [pointer, 'str', 'uint8_t']],
  TF_SetAttrType: ['void', [pointer, 'str', 'int']],
  TF_SetAttrTypeList: ['void', [pointer, 'str', pointer, 'int']],
  TF_SetAttrShape: ['void', [pointer, 'str', pointer, 'int']],
  TF_SetAttrTensor: ['void', [pointer, 'str', pointer, pointer]],

  TF_OperationName: ['str', [pointer]],
  TF_OperationOpType: ['str', [pointer]],
  TF_OperationDevice: ['str', [pointer]],
  TF_OperationNumInputs: ['int', [pointer]],
  TF_OperationInput: [output, [output]],
  TF_OperationNumOutputs: ['int', [pointer]],
  TF_OperationOutputType: ['int', [output]],

  TF_AllocateTensor: [pointer, ['int', pointer, 'int', 'size_t']],
  TF_DeleteTensor: ['void', [pointer]],
  TF_TensorType: ['int', [pointer]],
  TF_NumDims: ['int', [pointer]],
  TF_Dim: ['int64_t', [pointer, 'int']],
  TF_TensorByteSize: ['size_t', [pointer]],
  TF_TensorData: [pointer, [pointer]],

  TF_NewSessionOptions: [pointer, []],
  TF_DeleteSessionOptions: ['void', [pointer]],
  TF_SetTarget: ['void', [pointer, 'str']],
  TF_SetConfig: ['void', [pointer, pointer, 'size_t', pointer]],
  TF_NewSession: [pointer, [pointer, pointer, pointer]],
  TF_CloseSession: ['void', [pointer, pointer]],
  TF_DeleteSession: ['void', [pointer, pointer]],
  TF_SessionRun: [
    'void',
    [pointer, pointer, pointer, pointer, 'int', pointer, pointer, 'int', pointer, 'int', pointer, pointer],
  ],
  TF_NewServer: [pointer, [pointer, 'size_t', pointer]],
  TF_ServerStart: ['void', [pointer, pointer]],
  TF_ServerTarget: ['str', [pointer]],
  TF_SessionListDevices: [pointer, [pointer, pointer]],
  TF_DeviceListCount: ['int', [pointer]],
  TF_DeviceListName: ['str', [pointer, 'int', pointer]],
  TF_DeviceListType: ['str', [pointer, 'int', pointer]],
  TF_DeviceListMemoryBytes: ['int64_t', [pointer, 'int', pointer]],
  TF_DeleteDeviceList: ['void', [pointer]],

  // tensorflow/c/c_api_experimental.h
  TF_SetXlaEnableLazyCompilation: ['uint8_t', ['uint8_t']],
} as const;

/** `void tsl::enable_tensor_float_32_execution(bool)`, which Python's tf.config.experimental.enable_tensor_float_32_execution calls. */
const enableTensorFloat32 = '_ZN3tsl32enable_tensor_float_32_executionEb';

/** `void tsl::EnableOpDeterminism(bool)`, which Python's tf.config.experimental.enable_op_determinism calls. */
const enableOpDeterminism = '_ZN3tsl19EnableOpDeterminismEb';

type Argument = Memory | Output | number | bigint | string | readonly string[];
type Result<S> = S extends 'void'
  ? undefined
  : S extends 'str'
    ? string
    : S extends 'int' | 'uint8_t'
      ? number
      : S extends 'int64_t' | 'size_t'
        ? number | bigint
        : S extends 'void *'
          ? Pointer
          : Output;
type Call<S> = ((...args: Argument[]) => Result<S>) & {
  async: (...args: [...Argument[], (error: Error | null) => void]) => void;
};

/** TensorFlow's C API, and libc's memcpy, which moves bytes between its memory and JavaScript's. */
export type Native = { readonly [Name in keyof typeof signatures]: Call<(typeof signatures)[Name][0]> } & {
  memcpy(to: Memory, from: Memory, bytes: number): void;

  /** Undefined when the library does not export it: it is not part of the C API. */
  enableTensorFloat32: ((isEnabled: boolean) => void) | undefined;

  /** Undefined when the library does not export it. */
  enableOpDeterminism: ((isEnabled: boolean) => void) | undefined;

  /** Whether the library can compute on NVIDIA's GPUs. */
  isCudaBuild(): boolean;

  /** Methods of DeviceAttributes, which is a protobuf message. Absent: the library does not export them. */
  attributes:
    | {
        byteSize(record: Pointer): number | bigint;
        serialize(record: Pointer, to: Uint8Array, bytes: number): boolean;
      }
    | undefined;
};

const RTLD_NOW = 2;
const RTLD_GLOBAL = 0x100;
const RTLD_NODELETE = 0x1000;

// NOTE: unloading the library, even at exit, ends in a segmentation fault. RTLD_NODELETE keeps it mapped.
const stay = RTLD_NOW | RTLD_NODELETE;
const O_WRONLY = 1;
const STDERR = 2;
const M_ARENA_MAX = -8;

/** Functions of C++ that the C API lacks, by their mangled names. */
const isGoogleCudaEnabled = '_ZN10tensorflow19IsGoogleCudaEnabledEv';
const attributesByteSize = '_ZNK10tensorflow16DeviceAttributes12ByteSizeLongEv';
const serializePartialToArray = '_ZNK6google8protobuf11MessageLite23SerializePartialToArrayEPvi';

/**
 * Binds the C API of the library at `path`. The variables in `environment` are set for the process first.
 *
 * @param before - libraries to load first; TensorFlow opens them by their names, and finds those that are loaded
 */
export function loadNative(
  path: string,
  environment: Readonly<Record<string, string>>,
  before: readonly string[] = [],
): Native {
  const { libc, dlopen } = loadFramework(path, environment, before);
  dlopen(path, stay);
  releaseLinkedPages(libc, path);
  const library = koffi.load(path);
  const byteSize = optionalFunction(path, attributesByteSize, 'size_t', [pointer]);
  const serialize = optionalFunction(path, serializePartialToArray, 'bool', [pointer, pointer, 'int']);
  const native: Record<string, unknown> = {
    memcpy: libc.func('memcpy', pointer, [pointer, pointer, 'size_t']),
    enableTensorFloat32: optionalFunction(frameworkOf(path), enableTensorFloat32, 'void', ['bool']),
    enableOpDeterminism: optionalFunction(frameworkOf(path), enableOpDeterminism, 'void', ['bool']),
    isCudaBuild: optionalFunction(path, isGoogleCudaEnabled, 'bool', []) ?? (() => false),
    attributes: byteSize && serialize && { byteSize, serialize },
  };
  for (const [name, [result, args]] of Object.entries(signatures)) native[name] = library.func(name, result, [...args]);
  return native as Native;
}

/** Loads the library at `path` on another thread. `loadNative` then waits for the rest only. */
export async function preloadNative(
  path: string,
  environment: Readonly<Record<string, string>>,
  before: readonly string[] = [],
): Promise<void> {
  const { dlopen } = loadFramework(path, environment, before);
  await new Promise<void>((resolve) => {
    dlopen.async(path, stay, () => {
      resolve(); // `loadNative` reports a failure.
    });
  });
}

const frameworkOf = (path: string): string => join(dirname(path), 'libtensorflow_framework.so.2');

/** A function of the library at `path`; undefined when the library has none of that name. */
function optionalFunction(path: string, name: string, result: string, args: string[]): unknown {
  try {
    return koffi.load(path).func(name, result, args);
  } catch {
    return undefined;
  }
}

/** Loads the libraries that come first, and the smaller part of the library, which prints while it loads. */
function loadFramework(path: string, environment: Readonly<Record<string, string>>, before: readonly string[]) {
  const libc = koffi.load('libc.so.6');
  // NOTE: TensorFlow reads these with getenv while it loads. In worker threads process.env is a copy, so libc's setenv is used.
  const setenv = libc.func('setenv', 'int', ['str', 'str', 'int']);
  for (const [name, value] of Object.entries(environment)) setenv(name, value, 1);
  // In an arena of its own, each of TensorFlow's threads would keep free memory that no other thread uses.
  libc.func('mallopt', 'int', ['int', 'int'])(M_ARENA_MAX, 1);
  const dlopen = libc.func('dlopen', pointer, ['str', 'int']);
  // A failure is not reported here: TensorFlow then lists no GPU, and `gpuProblems` has the reason.
  for (const one of before) dlopen(one, stay | RTLD_GLOBAL);
  withoutStderr(libc, () => void dlopen(frameworkOf(path), stay));
  return { libc, dlopen };
}

/**
 * Discards stderr during `work`. libtensorflow_framework prints "oneDNN custom operations are on" while it loads, before it
 * reads TF_CPP_MIN_LOG_LEVEL. `openTensorFlow` returns the same fact.
 */
function withoutStderr(libc: LibraryHandle, work: () => void): void {
  const dup2 = libc.func('dup2', 'int', ['int', 'int']);
  const close = libc.func('close', 'int', ['int']);
  const kept = libc.func('dup', 'int', ['int'])(STDERR) as number;
  const sink = libc.func('open', 'int', ['str', 'int'])('/dev/null', O_WRONLY) as number;
  try {
    dup2(sink, STDERR);
    work();
  } finally {
    dup2(kept, STDERR);
    close(sink);
    close(kept);
  }
}
