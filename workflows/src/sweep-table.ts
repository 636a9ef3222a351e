import { type ApplicationFailure, CancellationScope, isCancellation, log, setHandler } from '@temporalio/workflow';
import {
  type Objective,
  type SweepInput,
  type SweepPlan,
  type SweepProgress,
  type SweepResult,
  type SweepTrial,
  type Tracking,
  type TrialRow,
} from '@nautil/contracts';
import { sweepProgress } from './messages.js';
import { isBetter, objectiveOf } from './objective.js';
import type { TrialOutcome } from './run-trial.js';
import { rootFailure } from './to-workflow-failure.js';

/** Failure messages are cut to this length in the table; the trial's own workflow has the full text. */
const longestMessage = 300;

/** The trials of a sweep and their states. Answers the `progress` query, also after the sweep has ended. */
export class SweepTable {
  /** In the order of the plan. */
  rows: TrialRow[] = [];
  tracking: Tracking = {};

  readonly #input: SweepInput;
  readonly #limit: number;
  readonly #objective: Objective;
  #plan: Pick<SweepPlan, 'fixed' | 'notes'> = { fixed: [], notes: [] };
  #result: SweepResult | undefined;
  #failure: SweepProgress['failure'];

  constructor(input: SweepInput, o: { limit: number; objective: Objective }) {
    this.#input = input;
    this.#limit = o.limit;
    this.#objective = o.objective;
    setHandler(sweepProgress, () => this.#answer());
  }

  /** Adds the trials of a plan, or the rows that the previous execution handed over. */
  fill(trials: (SweepTrial & Partial<TrialRow>)[], plan: Pick<SweepPlan, 'fixed' | 'notes'>): void {
    this.rows = trials.map((trial) => ({ state: 'waiting', ...trial }));
    this.#plan = plan;
  }

  get fixed(): string[] {
    return this.#plan.fixed;
  }

  get hasWaiting(): boolean {
    return this.next() !== undefined;
  }

  get allFailed(): boolean {
    return !this.rows.some(({ state }) => state === 'done' || state === 'reused');
  }

  /** The next trial to run. */
  next(): TrialRow | undefined {
    return this.rows.find(({ state }) => state === 'waiting');
  }

  /** Runs a trial and records its result or failure. Rejects only when the sweep itself is cancelled. */
  async run(row: TrialRow, trial: (row: TrialRow) => Promise<TrialOutcome>): Promise<void> {
    row.state = 'running';
    log.info('trial started', { trial: row.number, overrides: row.overrides });
    try {
      const { result, reused } = await trial(row);
      Object.assign(row, scoresOf(result, this.#objective), { state: reused ? 'reused' : 'done' });
      log.info('trial completed', { trial: row.number, reused, objective: row.objective });
    } catch (error) {
      row.state = isCancellation(error) ? 'cancelled' : 'failed';
      if (CancellationScope.current().consideredCancelled) throw error;
      const { type, message } = rootFailure(error);
      row.failure = { type, message: message.slice(0, longestMessage) };
      log.warn(`trial failed: ${message}`, { trial: row.number, type });
    }
  }

  /** The best trials first, then those without a score, each in the order of the plan. */
  ranked(): TrialRow[] {
    return [...this.rows].sort((a, b) => {
      if (a.objective === undefined || b.objective === undefined) return rankOf(a) - rankOf(b) || a.number - b.number;
      if (a.objective === b.objective) return a.number - b.number;
      return isBetter(this.#objective, a.objective, b.objective) ? -1 : 1;
    });
  }

  fail({ message, type }: Pick<ApplicationFailure, 'message' | 'type'>): void {
    this.#failure = { type: type ?? 'Error', message };
  }

  finish(): SweepResult {
    const rows = this.ranked();
    const [first] = rows;
    this.#result = {
      objective: this.#objective,
      rows,
      ...(first?.objective === undefined ? {} : { best: first }),
      mlflowRunId: this.tracking.runId,
      mlflowUrl: this.tracking.url,
    };
    return this.#result;
  }

  #answer(): SweepProgress {
    return {
      input: this.#input,
      objective: this.#objective,
      limit: this.#limit,
      rows: this.ranked(),
      fixed: this.#plan.fixed,
      notes: this.#plan.notes,
      mlflowUrl: this.tracking.url,
      result: this.#result,
      failure: this.#failure,
    };
  }
}

function scoresOf(result: TrialOutcome['result'], objective: Objective): Partial<TrialRow> {
  const { scores, mlflowUrl, nemo, trackingWarnings } = result;
  return {
    objective: objectiveOf(result, objective),
    ...(scores && { accuracy: scores.accuracy, f1Macro: scores.f1Macro, loss: scores.loss }),
    mlflowUrl,
    nemo: nemo.path,
    ...(trackingWarnings && { trackingWarnings }),
  };
}

const order = ['done', 'reused', 'running', 'waiting', 'cancelled', 'failed'] as const;

/** Rows with a score come first, then finished rows without one. */
const rankOf = ({ objective, state }: TrialRow): number =>
  objective !== undefined ? -1 : Math.max(1, order.indexOf(state));
