import type { Progress, StageState, TrainingProgress } from '@nautil/contracts';
import { formatLoss } from './format-progress.js';
import type { TrainingDisplay } from './training-display.js';

/** What one poll of a run has found. */
export interface RunPoll {
  progress: Progress;

  /** The training as of its last heartbeat. */
  training?: TrainingProgress | undefined;

  /** The tables that NeMo's log has got since the last poll; undefined where the log is on another machine. */
  tables?: string[] | undefined;
}

/** Shows what has changed since the last poll of a run: its address in MLflow, notes, stages, evaluations and training. */
export class RunScreen {
  readonly #display: TrainingDisplay;
  readonly #states = new Map<string, StageState>();
  #notes = 0;
  #mlflowUrl: string | undefined;
  #validatedEpoch: number | undefined;

  /** How many tables of evaluations it has shown. */
  tablesShown = 0;

  constructor(display: TrainingDisplay) {
    this.#display = display;
  }

  show({ progress, training, tables }: RunPoll): void {
    if (progress.mlflowUrl !== undefined && progress.mlflowUrl !== this.#mlflowUrl) {
      this.#mlflowUrl = progress.mlflowUrl;
      this.#display.line(`MLflow: ${progress.mlflowUrl}`);
    }
    for (const note of progress.notes.slice(this.#notes)) this.#display.note(note);
    this.#notes = progress.notes.length;
    if (tables === undefined) this.#showScores(progress.training?.validation);
    // Before the line that the stage is done that has made them.
    for (const table of tables ?? []) this.#display.line(table);
    this.tablesShown += tables?.length ?? 0;
    for (const { stage, state, detail } of progress.stages) {
      if (this.#states.get(stage) === state || state === 'waiting') continue;
      this.#states.set(stage, state);
      this.#display.stage(stage, state, detail);
    }
    const trains = this.#states.get('train') === 'running';
    if (trains && training) this.#display.show(training);
  }

  /** One line for each validation that the training reports. */
  #showScores(validation: TrainingProgress['validation']): void {
    if (validation === undefined || validation.epoch === this.#validatedEpoch) return;
    this.#validatedEpoch = validation.epoch;
    const { epoch, loss, accuracy, f1Macro } = validation;
    this.#display.line(
      `epoch ${epoch + 1}: val loss ${formatLoss(loss)}, accuracy ${accuracy.toFixed(4)}, macro F1 ${f1Macro.toFixed(4)}`,
    );
  }
}
