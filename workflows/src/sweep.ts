import type { SweepInput, SweepResult, TextClassificationInput, TrackedSweep, TrialRow } from '@nautil/contracts';
import {
  ApplicationFailure,
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { sweepActivitiesOn } from './activities-on.js';
import { failureOf } from './failure-of.js';
import { parseSweepInput } from './parse-input.js';
import { runTrial } from './run-trial.js';
import { SweepTable } from './sweep-table.js';

const defaults = { limit: 2, objective: 'val/f1_macro' } as const;

/**
 * Runs `textClassification` once for each combination of what varies, a few at a time, and ranks what came of them. A trial
 * that fails is a line in the table. A sweep that is started again under its id does no finished trial again, and goes on
 * with those that were interrupted.
 *
 * `temporal workflow start --type sweep --task-queue nautil --workflow-id lr --input '{"overrides": ["model.optim.lr=1e-5,2e-5"]}'`
 */
export async function sweep(input?: unknown): Promise<SweepResult> {
  const { continued, ...request } = parseSweepInput(input);
  const { workflowId: sweepId, taskQueue } = workflowInfo();
  const { limit = defaults.limit, objective = defaults.objective } = request;
  const activities = sweepActivitiesOn(taskQueue);
  const table = new SweepTable(request, { limit, objective });

  let tracked: TrackedSweep | undefined;
  const close = async (outcome: { status: 'FINISHED' | 'FAILED' | 'KILLED'; message?: string }): Promise<void> => {
    if (!tracked) return;
    const closing = { ...tracked, ...outcome, rows: table.ranked() };
    const tracking = await CancellationScope.nonCancellable(() => activities.finishSweepTracking(closing)).catch(
      () => undefined, // a tracking server is no reason to fail
    );
    if (tracking) table.tracking = tracking;
  };
  try {
    const { trials, ...plan } = continued
      ? { ...continued.plan, trials: continued.rows }
      : await activities.planSweep({ ...request, objective, sweepId });
    table.fill(trials, plan);
    tracked = { sweepId, experiment: plan.experiment, objective, fixed: plan.fixed, trials: trials.length };
    table.tracking = continued?.tracking ?? (await activities.startSweepTracking(tracked));

    await runAll(table, limit, (row) => runTrial(row, trialInput(request, table, row), activities));
    if (table.hasWaiting) {
      const left = { plan, rows: table.rows, tracking: table.tracking };
      await continueAsNew<typeof sweep>({ ...request, continued: left } satisfies SweepInput);
    }
    if (table.allFailed) throw everyTrialFailed(table);
    await close({ status: 'FINISHED' });
    return table.finish();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    if (isCancellation(error)) {
      await close({ status: 'KILLED', message: 'cancelled' });
      throw error;
    }
    const failure = failureOf(error, undefined);
    table.fail(failure);
    await close({ status: 'FAILED', message: failure.message });
    throw failure;
  }
}

/** Runs the waiting trials, `limit` at a time; ends early, with none running, when the history has become long. */
async function runAll(table: SweepTable, limit: number, run: Parameters<SweepTable['run']>[1]): Promise<void> {
  const takeTurns = async (): Promise<void> => {
    while (!workflowInfo().continueAsNewSuggested) {
      const row = table.next();
      if (!row) return;
      await table.run(row, run);
    }
  };
  // All have ended before anything is made of one that was cancelled.
  const turns = await Promise.allSettled(Array.from({ length: limit }, takeTurns));
  for (const turn of turns) if (turn.status === 'rejected') throw turn.reason;
}

/**
 * NOTE: the run key does not change with the execution, so that a trial that is started again finds its checkpoints and
 * its MLflow run.
 */
function trialInput(request: SweepInput, table: SweepTable, row: TrialRow): TextClassificationInput {
  return {
    ...(request.config === undefined ? {} : { config: request.config }),
    ...(request.configPath === undefined ? {} : { configPath: request.configPath }),
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    overrides: [...table.fixed, ...row.overrides],
    runKey: 'trial',
    ...(table.tracking.runId === undefined ? {} : { parentMlflowRunId: table.tracking.runId }),
  };
}

function everyTrialFailed(table: SweepTable): ApplicationFailure {
  const { failure, number } = table.rows.find((row) => row.failure) ?? table.rows[0]!;
  const message = `none of ${table.rows.length} trials was completed${failure ? `; trial ${number}: ${failure.message}` : ''}`;
  return ApplicationFailure.nonRetryable(message, 'SweepFailed', {
    kind: 'training',
    hint: 'each trial is a workflow of its own that tells why',
  });
}
