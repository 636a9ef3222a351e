import {
  progressQuery,
  type Objective,
  type SweepInput,
  type SweepPlan,
  type SweepProgress,
  type SweepResult,
  type SweepTrial,
  type Tracking,
  type TrialRow,
} from '@nautil/contracts';
import type { ApplicationFailure } from '@temporalio/workflow';
import { CancellationScope, defineQuery, isCancellation, setHandler } from '@temporalio/workflow';
import { causeOf } from './failure-of.js';
import { isBetter, objectiveOf } from './objective.js';
import type { TrialOutcome } from './run-trial.js';

/** A failed trial keeps the beginning of its message: the whole is in its own workflow. */
const keptMessage = 300;

/** The trials of a sweep and where each of them is; answers the `progress` query, also after the sweep has ended. */
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
    setHandler(defineQuery<SweepProgress>(progressQuery), () => this.#answer());
  }

  /** Takes the trials of a plan, or the rows that an earlier execution left. */
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

  /** The trial whose turn it is. */
  next(): TrialRow | undefined {
    return this.rows.find(({ state }) => state === 'waiting');
  }

  /** Runs a trial and notes what came of it. Rejects only when the sweep itself is cancelled. */
  async run(row: TrialRow, trial: (row: TrialRow) => Promise<TrialOutcome>): Promise<void> {
    row.state = 'running';
    try {
      const { result, reused } = await trial(row);
      Object.assign(row, scoresOf(result, this.#objective), { state: reused ? 'reused' : 'done' });
    } catch (error) {
      row.state = isCancellation(error) ? 'cancelled' : 'failed';
      if (CancellationScope.current().consideredCancelled) throw error;
      const { type, message } = causeOf(error);
      row.failure = { type, message: message.slice(0, keptMessage) };
    }
  }

  /** The best first, then what has no score, in the order of the plan. */
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
  const { scores, mlflowUrl, nemo } = result;
  return {
    objective: objectiveOf(result, objective),
    ...(scores && { accuracy: scores.accuracy, f1Macro: scores.f1Macro, loss: scores.loss }),
    mlflowUrl,
    nemo: nemo.path,
  };
}

const order = ['done', 'reused', 'running', 'waiting', 'cancelled', 'failed'] as const;

/** Scored rows come before all others, finished ones that lack the objective next. */
const rankOf = ({ objective, state }: TrialRow): number =>
  objective !== undefined ? -1 : Math.max(1, order.indexOf(state));
