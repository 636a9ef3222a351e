import type { WorkflowHandle } from '@temporalio/client';
import type { Progress, StageState, TextClassificationResult, TrainingProgress } from '@nautil/contracts';
import { type FollowOptions, followWorkflow } from './follow-workflow.js';
import { newestTraining } from './newest-training.js';
import { printOutcome } from './print-outcome.js';
import type { TrainingDisplay } from './terminal/training-display.js';

/**
 * Shows the progress of a run until it ends, then its result. Ctrl-C ends the command; the run continues.
 *
 * @throws an error with the run's own type, message and hint when it failed
 */
export async function followRun(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  await followWorkflow<Progress, TextClassificationResult>(handle, options, {
    noun: 'run',
    showProgress: (display) => {
      const shown = new ShownStages(display);
      let hasWarned = false;
      const warnOnce = (message: string): void => {
        if (!hasWarned) display.warn(message);
        hasWarned = true;
      };
      return async (progress) => shown.show(progress, await newestTraining(handle, progress, warnOnce));
    },
    printResult: (result, temporalUrl) => printOutcome({ ...result, temporalUrl }),
  });
}

/** Prints a line when a stage changes, and the progress of training. */
class ShownStages {
  readonly #display: TrainingDisplay;
  readonly #states = new Map<string, StageState>();
  #notes = 0;
  #mlflowUrl: string | undefined;

  constructor(display: TrainingDisplay) {
    this.#display = display;
  }

  show(progress: Progress, training: TrainingProgress | undefined): void {
    if (progress.mlflowUrl !== undefined && progress.mlflowUrl !== this.#mlflowUrl) {
      this.#mlflowUrl = progress.mlflowUrl;
      this.#display.line(`MLflow: ${progress.mlflowUrl}`);
    }
    for (const note of progress.notes.slice(this.#notes)) this.#display.line(`note: ${note}`);
    this.#notes = progress.notes.length;
    for (const { stage, state, detail } of progress.stages) {
      if (this.#states.get(stage) === state || state === 'waiting') continue;
      this.#states.set(stage, state);
      if (state === 'running') this.#display.line(`${stage} …`);
      // The error at the end of the command has the reason.
      else this.#display.line(`${stage}: ${state}${detail && state !== 'failed' ? `, ${detail}` : ''}`);
    }
    const trains = this.#states.get('train') === 'running';
    if (trains && training && training.step > 0) this.#display.show(training);
  }
}
