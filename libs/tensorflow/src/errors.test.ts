import { expect, test } from '@jest/globals';
import { GpuFailed, OutOfMemory, TensorFlowError, tensorFlowError } from './errors.js';
import { isGpuFailure } from './gpu/gpu-failure.js';

const [INVALID_ARGUMENT, RESOURCE_EXHAUSTED, INTERNAL, UNKNOWN, UNAVAILABLE] = [3, 8, 13, 2, 14];

// As they appear in issues of public repositories: their numbers in tensorflow/tensorflow, if no other is named.
test.each([
  [INTERNAL, 'GPU sync failed'], // 1450
  [INTERNAL, 'Failed to synchronize the stop event: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure'], // 14363
  [
    INTERNAL,
    'failed initializing StreamExecutor for CUDA device ordinal 0: INTERNAL: failed call to cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered',
  ], // nagadit/DeepFaceLab_Linux 89
  [
    INTERNAL,
    'failed call to cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY: out of memory; total memory reported: 11554717696',
  ],
  [
    INTERNAL,
    'Blas GEMM launch failed : a.shape=(64, 50), b.shape=(50, 180), m=64, n=180, k=50\n\t [[{{node dense/MatMul}}]]',
  ], // deepmodeling/dpgen 753
  [INTERNAL, 'Blas xGEMM launch failed : a.shape=[1,2304,128], b.shape=[1,2304,128], m=128, n=128, k=2304'],
  [INTERNAL, 'Blas xGEMMBatched launch failed : a.shape=[768,60,60], b.shape=[768,60,64], m=60, n=64, k=60'],
  [
    INTERNAL,
    'Failed to launch CUDA kernel: fusion_3: with block dimensions: 128x1x1: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered',
  ],
  [
    INTERNAL,
    'CUDA runtime implicit initialization on GPU:0 failed. Status: all CUDA-capable devices are busy or unavailable',
  ],
  [INTERNAL, 'cudaGetDevice() failed. Status: unknown error'],
  [INTERNAL, 'cuDNN launch failure : input shape ([32,64,56,56])'],
  [
    UNKNOWN,
    'Failed to get convolution algorithm. This is probably because cuDNN failed to initialize, so try looking to see if a warning log message was printed above.',
  ],
  [UNKNOWN, 'CUDNN_STATUS_EXECUTION_FAILED\nin tensorflow/stream_executor/cuda/cuda_dnn.cc(4369)'],
  [INTERNAL, 'NCCL operation ncclGroupEnd() failed: unhandled cuda error (run with NCCL_DEBUG=INFO for details)'],
  [INTERNAL, 'failed to query event: CUDA_ERROR_LAUNCH_TIMEOUT: the launch timed out and was terminated'],
  [UNAVAILABLE, 'NVRM: Xid (PCI:0000:06:00): 79, pid=1, GPU has fallen off the bus.'],
])('code %i with %j is a failed GPU, and a retry may help', (code, message) => {
  const error = tensorFlowError(code, message);
  expect(error).toBeInstanceOf(GpuFailed);
  expect(error).toMatchObject({ name: 'GpuFailed', kind: 'environment', retryable: true, message });
  expect(error.hint).toContain('nvidia-smi');
});

test.each([
  [
    RESOURCE_EXHAUSTED,
    'OOM when allocating tensor with shape[64,512,3072] and type float on /device:GPU:0 by allocator GPU_0_bfc',
  ],
  [RESOURCE_EXHAUSTED, 'failed to allocate memory\n\t [[{{node MatMul}}]]'],
  // TensorFlow reports so a GPU that has no memory for a copy from the host: 7025.
  [INTERNAL, 'Dst tensor is not initialized.\n\t [[{{node _arg_inputs_0_1}}]]'],
])('code %i with %j is a lack of memory, which smaller micro-batches cure', (code, message) => {
  expect(tensorFlowError(code, message)).toBeInstanceOf(OutOfMemory);
});

test.each([
  [INVALID_ARGUMENT, 'Matrix size-incompatible: In[0]: [1,2], In[1]: [3,4]'],
  [INVALID_ARGUMENT, 'Cannot assign a device for operation CUDA_ERROR_IN_A_NAME'],
  [INTERNAL, 'Attempting to use uninitialized value w'],
  [INTERNAL, 'cudaGetDevice() failed. Status: CUDA driver version is insufficient for CUDA runtime version'],
])('code %i with %j is neither, and is not retried', (code, message) => {
  const error = tensorFlowError(code, message);
  expect(error).not.toBeInstanceOf(GpuFailed);
  expect(error).not.toBeInstanceOf(OutOfMemory);
  expect(error).toBeInstanceOf(TensorFlowError);
  expect(error).toMatchObject({ kind: 'training', retryable: false });
});

// TensorFlow ends the process in these cases, so that only its log shows why.
test.each([
  'F external/local_xla/xla/stream_executor/cuda/cuda_driver.cc:152] Failed setting context: CUDA_ERROR_NOT_PERMITTED: operation not permitted',
  'F tensorflow/core/common_runtime/device/device_event_mgr.cc:223] Unexpected Event status: 1',
  'E tensorflow/stream_executor/cuda/cuda_driver.cc:1110] could not synchronize on CUDA context: CUDA_ERROR_ILLEGAL_ADDRESS :: No stack trace available',
])('the last line %s of a process shows that its GPU failed', (line) => {
  expect(isGpuFailure(line)).toBe(true);
});

test.each([
  'terminate called after throwing an instance of std::bad_alloc',
  'E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:467] Unable to register cuFFT factory',
  '',
])('the last line %j of a process says nothing of its GPU', (line) => {
  expect(isGpuFailure(line)).toBe(false);
});
