import { type TaskOptions, TrainerProcess } from './trainer-process.js';
import type { TrainerResult, TrainerTask } from './trainer-task.js';

/** Time that an idle process is kept: the evaluation of a run follows its training at once. */
const idleMs = 10_000;

/** Number of tasks after which a process is replaced, which bounds leaks of native code. */
const tasksPerProcess = 50;

/**
 * A worker's pool of trainer processes. An idle process is kept for a moment, because starting one and loading TensorFlow takes
 * longer than a small evaluation.
 */
export class Trainers {
  readonly #env: Record<string, string> | undefined;
  readonly #idle = new Map<TrainerProcess, { poolKey: string; timer: NodeJS.Timeout }>();

  /** @param env - environment of the processes, added to this process's own */
  constructor(env?: Record<string, string>) {
    this.#env = env;
  }

  /** Runs a task in an idle process or in a new one. @throws as `TrainerProcess.run` */
  async run<Task extends TrainerTask>(o: TaskOptions<Task>): Promise<TrainerResult<Task>> {
    const poolKey = poolKeyOf(o.task);
    const trainer = (await this.#acquire(poolKey)) ?? new TrainerProcess(this.#env);
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
    }, idleMs).unref();
    this.#idle.set(trainer, { poolKey, timer });
    trainer.keepAlive(false);
  }
}

/** The settings that TensorFlow takes from a process's first task and keeps. */
function poolKeyOf({ job }: TrainerTask): string {
  const { trainer, nautil } = job.config;
  const { onednn, intra_op_threads } = nautil;
  return JSON.stringify({ onednn, intra_op_threads, accelerator: trainer.accelerator });
}
