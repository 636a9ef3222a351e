import type { TrainerResult, TrainerTask } from './trainer-task.js';
import { TrainerProcess, type TaskOptions } from './trainer-process.js';

/** How long a process waits for another task: a run's evaluation comes at once after its training. */
const keptMs = 10_000;

/** A process does so many tasks, so that what native code may leave behind stays small. */
const tasksEach = 50;

/**
 * The trainer processes of a worker. One that is done stays a moment: the next task then need not start a process and load
 * TensorFlow, which takes longer than a small evaluation.
 */
export class Trainers {
  readonly #env: Record<string, string> | undefined;
  readonly #kept = new Map<TrainerProcess, { suits: string; timer: NodeJS.Timeout }>();

  /** @param env - of the processes, beside this one's */
  constructor(env?: Record<string, string>) {
    this.#env = env;
  }

  /** Does a task in a process that waits, or in a new one. @throws as `TrainerProcess.run` */
  async run(o: TaskOptions): Promise<TrainerResult> {
    const suits = settingOf(o.task);
    const trainer = (await this.#take(suits)) ?? new TrainerProcess(this.#env);
    try {
      return await trainer.run(o);
    } finally {
      if (trainer.isIdle) this.#keep(trainer, suits);
    }
  }

  /** One that suits; a process that waits and does not suit would only take memory from the new one. */
  async #take(suits: string): Promise<TrainerProcess | undefined> {
    for (const [trainer, kept] of this.#kept) {
      this.#kept.delete(trainer);
      clearTimeout(kept.timer);
      trainer.hold(true);
      if (kept.suits === suits && trainer.isIdle && trainer.tasks < tasksEach) return trainer;
      await trainer.end();
    }
    return undefined;
  }

  #keep(trainer: TrainerProcess, suits: string): void {
    const timer = setTimeout(() => {
      this.#kept.delete(trainer);
      void trainer.end();
    }, keptMs).unref();
    this.#kept.set(trainer, { suits, timer });
    trainer.hold(false);
  }
}

/** What TensorFlow takes from the first task of a process and keeps. */
function settingOf({ job }: TrainerTask): string {
  const { trainer, nautil } = job.config;
  const { onednn, intra_op_threads } = nautil;
  return JSON.stringify({ onednn, intra_op_threads, accelerator: trainer.accelerator });
}
