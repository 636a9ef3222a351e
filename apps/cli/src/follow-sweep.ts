import type { SweepProgress, SweepResult, TrialRow, TrialState } from '@nautil/contracts';
import { TrainingDisplay } from './terminal/training-display.js';
import type { WorkflowHandle } from '@temporalio/client';
import { followWorkflow, workflowUrl, type FollowOptions } from './follow-workflow.js';
import { formatSweep } from './format-sweep.js';

/**
 * Shows a sweep while it goes on, a line for each trial that begins or ends, then its table. Ctrl-C ends the showing; the
 * sweep goes on.
 *
 * @throws an error with the sweep's own type, message and hint when it failed.
 */
export async function followSweep(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  const uiUrl = workflowUrl(options.uiUrl, handle.workflowId);
  process.stderr.write(`sweep ${handle.workflowId}${uiUrl ? `\nTemporal: ${uiUrl}` : ''}\n`);
  if (options.detach) return;

  const display = new TrainingDisplay();
  const shown = new ShownTrials(display);
  const result = await followWorkflow<SweepProgress, SweepResult>(handle, {
    what: 'sweep',
    display,
    show: (progress) => shown.show(progress),
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const lines = [`\n${formatSweep(result)}\n`];
  if (uiUrl) lines.push(`Temporal  ${uiUrl}`);
  if (result.mlflowUrl) lines.push(`MLflow    ${result.mlflowUrl}`);
  if (result.best?.nemo) lines.push(`model     ${result.best.nemo}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Prints what is new about the trials. */
class ShownTrials {
  readonly #display: TrainingDisplay;
  readonly #states = new Map<number, TrialState>();
  #planned = false;
  #mlflowUrl: string | undefined;

  constructor(display: TrainingDisplay) {
    this.#display = display;
  }

  show(progress: SweepProgress): void {
    const { rows, notes, limit, objective, mlflowUrl } = progress;
    if (rows.length > 0 && !this.#planned) {
      this.#planned = true;
      this.#display.line(`${rows.length} trials, ${limit} at a time, compared by ${objective}`);
      for (const note of notes) this.#display.line(`note: ${note}`);
    }
    if (mlflowUrl !== undefined && mlflowUrl !== this.#mlflowUrl) {
      this.#mlflowUrl = mlflowUrl;
      this.#display.line(`MLflow: ${mlflowUrl}`);
    }
    for (const row of [...rows].sort((a, b) => a.number - b.number)) {
      if (row.state === 'waiting' || this.#states.get(row.number) === row.state) continue;
      this.#states.set(row.number, row.state);
      this.#display.line(`trial ${row.number}/${rows.length}  ${row.overrides.join(' ')}  ${newsOf(row, objective)}`);
    }
  }
}

function newsOf({ state, objective, failure }: TrialRow, name: string): string {
  if (state === 'running') return '…';
  if (failure) return `${state}: ${failure.message.split('\n')[0]}`;
  return objective === undefined ? state : `${state}, ${name} ${objective.toFixed(4)}`;
}
