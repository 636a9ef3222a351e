import { type GpuLease, GpuLeases, leasedEnvironment, withLeasedGpus } from '@nautil/trainer-process';

type Task = Parameters<typeof withLeasedGpus>[0];

/**
 * Leases GPUs for this process, once it has a task that uses them, until it ends. TensorFlow sees these GPUs alone: it reads the
 * environment when it first looks for devices.
 *
 * @returns the function that makes a task ask for the leased GPUs
 */
export function leaseGpus(o: { signal: AbortSignal; onWait: (message: string) => void; leases?: GpuLeases }) {
  const leases = o.leases ?? new GpuLeases();
  let leased: Promise<GpuLease | undefined> | undefined;
  return async <T extends Task>(task: T): Promise<T> => {
    leased ??= leases.lease(task.job.config.trainer, o);
    const lease = await leased;
    if (lease === undefined) return task;
    Object.assign(process.env, leasedEnvironment(lease));
    return withLeasedGpus(task, lease);
  };
}
