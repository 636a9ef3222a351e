export { type GpuLease, GpuLeases, leasedEnvironment, withLeasedGpus } from './gpu-leases.js';
export { runTask } from './run-task.js';
export { Trainers } from './trainers.js';
export { runTrainer, type RunningTask, type TaskOptions } from './trainer-process.js';
export type { JoinTask, TrackingTask, TrainerResult, TrainerTask, TrainTask } from './trainer-task.js';
