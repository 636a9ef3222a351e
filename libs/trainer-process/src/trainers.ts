import type { Config } from '@nautil/config';
import { NautilError, recordOf, RemoteError } from '@nautil/contracts';
import { isGpuFailure } from '@nautil/tensorflow/gpu';
import { parseDevices } from '@nautil/training';
import { type GpuLease, GpuLeases, leasedEnvironment, type LeaseOptions, withLeasedGpus } from './gpu-leases.js';
import { type TaskOptions, TrainerProcess } from './trainer-process.js';
import { isOfGroup, type TrainerResult, type TrainerTask } from './trainer-task.js';

/** Time that an idle process is kept by default: the evaluation of a run follows its training at once. */
const defaultIdleMs = 10_000;

/** Number of tasks after which a process is replaced, which bounds leaks of native code. */
const tasksPerProcess = 50;

interface TrainersOptions {
  leases?: GpuLeases;

  /** Time that an idle process is kept. */
  idleMs?: number;
}

/**
 * A worker's pool of trainer processes. An idle process is kept for a moment, because starting one and loading TensorFlow takes
 * longer than a small evaluation.
 */
export class Trainers {
  readonly #env: Record<string, string> | undefined;
  readonly #leases: GpuLeases;
  readonly #idleMs: number;
  readonly #idle = new Map<TrainerProcess, { poolKey: string; timer: NodeJS.Timeout }>();

  /** @param env - environment of the processes, added to this process's own */
  constructor(
    env?: Record<string, string>,
    { leases = new GpuLeases(), idleMs = defaultIdleMs }: TrainersOptions = {},
  ) {
    this.#env = env;
    this.#leases = leases;
    this.#idleMs = idleMs;
  }

  /**
   * Runs a task in an idle process or in a new one. On a machine with GPUs, the process sees those that it asks for and no other, and
   * the task waits until they are free. GPUs on which it fails are set aside, so that a retry uses others.
   *
   * @throws as `TrainerProcess.run`; the signal's reason if it aborts while the task waits
   */
  async run<Task extends TrainerTask>(o: TaskOptions<Task> & LeaseOptions): Promise<TrainerResult<Task>> {
    const lease = await this.#leases.lease(devicesOf(o.task), o);
    if (lease === undefined) return this.#run(o, this.#env);
    try {
      return await this.#run(
        { ...o, task: withLeasedGpus(o.task, lease), leased: lease.sockets },
        { ...this.#env, ...leasedEnvironment(lease) },
      );
    } catch (error) {
      throw afterFailure(error, lease);
    } finally {
      await lease.release();
    }
  }

  async #run<Task extends TrainerTask>(
    o: TaskOptions<Task>,
    env: Record<string, string> | undefined,
  ): Promise<TrainerResult<Task>> {
    const poolKey = poolKeyOf(o.task, env);
    const trainer = (await this.#acquire(poolKey)) ?? new TrainerProcess(env);
    try {
      return await trainer.run(o);
    } finally {
      if (trainer.isIdle) this.#release(trainer, poolKey);
    }
  }

  /** An idle process with the same settings. Others are ended, because they would only hold memory. */
  async #acquire(poolKey: string): Promise<TrainerProcess | undefined> {
    for (const [trainer, idle] of this.#idle) {
      this.#idle.delete(trainer);
      clearTimeout(idle.timer);
      trainer.keepAlive(true);
      if (idle.poolKey === poolKey && trainer.isIdle && trainer.tasks < tasksPerProcess) return trainer;
      await trainer.end();
    }
    return undefined;
  }

  #release(trainer: TrainerProcess, poolKey: string): void {
    const timer = setTimeout(() => {
      this.#idle.delete(trainer);
      void trainer.end();
    }, this.#idleMs).unref();
    this.#idle.set(trainer, { poolKey, timer });
    trainer.keepAlive(false);
  }
}

/** The devices that a task asks for. An evaluation takes one. */
function devicesOf({ do: what, job }: TrainerTask): Pick<Config['trainer'], 'accelerator' | 'devices'> {
  const { accelerator, devices } = job.config.trainer;
  if (what !== 'evaluate') return { accelerator, devices };
  const parsed = parseDevices(devices);
  return { accelerator, devices: Array.isArray(parsed) ? parsed.slice(0, 1) : 1 };
}

/** The errors of a task that had too little memory, even in the smallest pieces. */
const outOfMemory = ['OutOfMemory', 'BatchTooLarge'];

/** Sets the GPUs of a task aside if it failed because of them. A lack of memory is worth a retry if there are others. */
function afterFailure(error: unknown, lease: GpuLease): unknown {
  if (!(error instanceof NautilError)) return error;
  const { name, message, hint = '' } = error;
  if (name === 'GpuFailed' || (name === 'TrainerCrashed' && isGpuFailure(`${message}\n${hint}`))) lease.setAside();
  if (!outOfMemory.includes(name) || !lease.setAside()) return error;
  const record = recordOf(error);
  return new RemoteError({ ...record, retryable: true, hint: `the next attempt uses another GPU\n${hint}`.trim() });
}

/** The settings that TensorFlow takes from a process's first task and keeps, and the GPUs that it sees. */
function poolKeyOf(task: TrainerTask, env: Record<string, string> | undefined): string {
  const { trainer, nautil } = task.job.config;
  const { onednn, intra_op_threads } = nautil;
  return JSON.stringify({ onednn, intra_op_threads, accelerator: trainer.accelerator, group: isOfGroup(task), env });
}
