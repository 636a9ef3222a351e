import type { WorkflowHandle } from '@temporalio/client';
import { counted, type SweepProgress, type SweepResult, type TrialRow, type TrialState } from '@nautil/contracts';
import { type FollowOptions, followWorkflow } from './follow-workflow.js';
import { formatSweep } from './format-sweep.js';
import { printMessage, printResult } from './output.js';
import { terminalWidth } from './terminal/terminal-width.js';
import type { TrainingDisplay } from './terminal/training-display.js';

/**
 * Shows the progress of a sweep, one line for each trial that starts or ends, then its table. Ctrl-C ends the command; the
 * sweep continues.
 *
 * @throws an error with the sweep's own type, message and hint when it failed
 */
export async function followSweep(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  await followWorkflow<SweepProgress, SweepResult>(handle, options, {
    noun: 'sweep',
    showProgress: (display) => {
      const shown = new ShownTrials(display);
      return (progress) => shown.show(progress);
    },
    printResult: printSweep,
  });
}

async function printSweep(result: SweepResult, temporalUrl: string | undefined): Promise<void> {
  await printResult(`\n${formatSweep(result, { width: terminalWidth() })}\n`);
  if (temporalUrl !== undefined) await printResult(`Temporal  ${temporalUrl}`);
  if (result.mlflowUrl !== undefined) await printResult(`MLflow    ${result.mlflowUrl}`);
  if (result.best?.nemo !== undefined) await printResult(`model     ${result.best.nemo}`);
  for (const { number, trackingWarnings = [] } of result.rows)
    for (const warning of trackingWarnings) printMessage(`warning: trial ${number}: ${warning}`);
}

/** Prints a line when the state of a trial changes. */
class ShownTrials {
  readonly #display: TrainingDisplay;
  readonly #states = new Map<number, TrialState>();
  #isPlanShown = false;
  #mlflowUrl: string | undefined;

  constructor(display: TrainingDisplay) {
    this.#display = display;
  }

  show(progress: SweepProgress): void {
    const { rows, notes, limit, objective, mlflowUrl } = progress;
    if (rows.length > 0 && !this.#isPlanShown) {
      this.#isPlanShown = true;
      this.#display.line(`${counted(rows.length, 'trial')}, ${limit} at a time, ranked by ${objective}`);
      for (const note of notes) this.#display.note(note);
    }
    if (mlflowUrl !== undefined && mlflowUrl !== this.#mlflowUrl) {
      this.#mlflowUrl = mlflowUrl;
      this.#display.line(`MLflow: ${mlflowUrl}`);
    }
    for (const row of [...rows].sort((a, b) => a.number - b.number)) {
      if (row.state === 'waiting' || this.#states.get(row.number) === row.state) continue;
      this.#states.set(row.number, row.state);
      const news = formatState(row, objective);
      this.#display.line(`trial ${row.number}/${rows.length}  ${row.overrides.join(' ')}  ${news}`);
    }
  }
}

function formatState({ state, objective, failure }: TrialRow, name: string): string {
  if (state === 'running') return '…';
  if (failure) return `${state}: ${failure.message.split('\n', 1).join('')}`;
  return objective === undefined ? state : `${state}, ${name} ${objective.toFixed(4)}`;
}
