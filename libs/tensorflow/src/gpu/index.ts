export { nvidiaFolder } from './cuda-libraries.js';
export { isGpuFailure } from './gpu-failure.js';
export { type GpuFacts, hasGpuDevice, readGpuFacts } from './gpu-facts.js';
export { type GpuProblem, gpuProblems } from './gpu-problems.js';
export { runNvidiaSmi } from './nvidia-smi.js';
export { runWithin, TimeLimitExceeded } from './run-within.js';
export { visibleGpus } from './visible-gpus.js';
