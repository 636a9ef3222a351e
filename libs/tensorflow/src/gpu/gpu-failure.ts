/**
 * What TensorFlow, CUDA and its libraries report when a GPU fails: an Xid, a lost or hung card, an error of its memory, a context that
 * another process has broken or filled. Another GPU, or a new process, may compute the same without an error.
 */
const failures = [
  /\bCUDA_ERROR_(?!NO_DEVICE\b|NOT_FOUND\b|INVALID_PTX\b)\w+/,
  /\b(CUBLAS|CUDNN|CUFFT|CUSOLVER|CUSPARSE)_STATUS_(?!NOT_SUPPORTED|INVALID_VALUE|BAD_PARAM)\w+/,
  /\bGPU sync failed/i,
  /\bBlas \w*GEMM\w* launch failed/i,
  /\bcuDNN (launch failure|failed to initialize)/i,
  /\bfailed (call to cu(?!Init)[A-Z]\w+|to launch (CUDA )?kernel|initializing StreamExecutor)/i,
  /\bcuda\w+\(.*?\) failed\b/i,
  /\bCUDA runtime implicit initialization on GPU:\d+ failed/i,
  /\bunhandled (cuda|system) error/i,
  /\bCould not synchronize (on )?CUDA (context|stream)/i,
  /\bUnexpected Event status/i,
  /\b(an illegal memory access was encountered|unspecified launch failure|uncorrectable ECC error|the launch timed out)/i,
  /\ball CUDA-capable devices are busy or unavailable/i,
  /\bfallen off the bus/i,
];

/** The driver cannot run this version of CUDA: no GPU of the machine would help. */
const driverTooOld = /CUDA driver version is insufficient|CUDA_ERROR_(SYSTEM_DRIVER_MISMATCH|COMPAT_NOT_SUPPORTED)/;

/** Whether an error of TensorFlow, or the last lines of a process that crashed, show that a GPU has failed. */
export const isGpuFailure = (text: string): boolean =>
  !driverTooOld.test(text) && failures.some((pattern) => pattern.test(text));
