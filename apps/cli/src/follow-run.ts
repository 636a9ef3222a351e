import type { Progress, StageState, TextClassificationResult } from '@nautil/contracts';
import { TrainingDisplay } from '@nautil/terminal';
import type { WorkflowHandle } from '@temporalio/client';
import { followWorkflow, workflowUrl, type FollowOptions } from './follow-workflow.js';
import { showResult } from './show-result.js';

/**
 * Shows a run while it goes on, then what came of it. Ctrl-C ends the showing; the run goes on.
 *
 * @throws an error with the run's own type, message and hint when it failed.
 */
export async function followRun(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  const uiUrl = workflowUrl(options.uiUrl, handle.workflowId);
  process.stderr.write(`run ${handle.workflowId}${uiUrl ? `\nTemporal: ${uiUrl}` : ''}\n`);
  if (options.detach) return;

  const display = new TrainingDisplay();
  const shown = new ShownStages(display);
  const result = await followWorkflow<Progress, TextClassificationResult>(handle, {
    what: 'run',
    display,
    show: (progress) => shown.show(progress),
  });
  await showResult(result, { json: options.json ?? false, uiUrl });
}

/** Prints a line when a stage changes, and where training is. */
class ShownStages {
  readonly #display: TrainingDisplay;
  readonly #states = new Map<string, StageState>();
  #notes = 0;
  #mlflowUrl: string | undefined;

  constructor(display: TrainingDisplay) {
    this.#display = display;
  }

  show(progress: Progress): void {
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
      else this.#display.line(`${stage}: ${state}${detail ? `, ${detail}` : ''}`);
    }
    const training = this.#states.get('train') === 'running' ? progress.training : undefined;
    if (training && training.step > 0) this.#display.show(training);
  }
}
