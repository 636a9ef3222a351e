import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import type { Progress } from '@nautil/contracts';
import { logFile } from '@nautil/nemo';
import { newestTraining } from './newest-training.js';
import { EvaluationLog } from './terminal/evaluation-log.js';
import type { RunPoll } from './terminal/run-screen.js';

/** Completes what a run answers to a query with its last heartbeat, and with the tables of its log if that is on this machine. */
export class RunPolls {
  readonly #handle: Pick<WorkflowHandle, 'describe'>;
  readonly #warn: (message: string) => void;

  /** Null where the log is on another machine. */
  #log: EvaluationLog | null | undefined;
  #hasWarned = false;

  /** @param warn - called at most once, because every poll would have the same warning */
  constructor(handle: Pick<WorkflowHandle, 'describe'>, warn: (message: string) => void) {
    this.#handle = handle;
    this.#warn = warn;
  }

  async complete(progress: Progress): Promise<RunPoll> {
    const training = await newestTraining(this.#handle, progress, (message) => {
      if (!this.#hasWarned) this.#warn(message);
      this.#hasWarned = true;
    });
    await this.#openLog(progress);
    return { progress, training, ...(this.#log && { tables: await this.#log.next() }) };
  }

  async #openLog({ logDir, stages }: Progress): Promise<void> {
    if (logDir === undefined || this.#log !== undefined) return;
    // Tables from before this command started following are left out.
    const fromEnd = stages.some(({ stage, state }) => stage === 'train' && state !== 'waiting');
    this.#log = (await EvaluationLog.open(join(logDir, logFile), { fromEnd })) ?? null;
  }
}
