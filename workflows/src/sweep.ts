import {
  type ApplicationFailure,
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  log,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  FailureDetails,
  SweepInput,
  SweepResult,
  TextClassificationInput,
  TrackedSweep,
  TrialRow,
} from '@nautil/contracts';
import { counted } from '@nautil/contracts';
import { sweepActivitiesOn } from './activities-on.js';
import { parseSweepInput } from './parse-input.js';
import { runTrial } from './run-trial.js';
import { SweepTable } from './sweep-table.js';
import { expectedFailure, toWorkflowFailure } from './to-workflow-failure.js';

const defaults = { limit: 2, objective: 'val/f1_macro' } as const;

/**
 * Runs `textClassification` once for each combination of the varied values, a few at a time, and ranks the results. A failed
 * trial is a row in the table. A sweep that is restarted under its id reuses the results of finished trials and resumes
 * interrupted ones.
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
      () => undefined, // A tracking server that is down must not fail the sweep.
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
      log.info('continuing as new: the history is long');
      const state = { plan, rows: table.rows, tracking: table.tracking };
      await continueAsNew<typeof sweep>({ ...request, continued: state } satisfies SweepInput);
    }
    if (table.allFailed) throw everyTrialFailed(table);
    await close({ status: 'FINISHED' });
    return table.finish();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    if (isCancellation(error)) {
      log.info('the sweep was cancelled');
      await close({ status: 'KILLED', message: 'cancelled' });
      throw error;
    }
    const failure = toWorkflowFailure(error, undefined);
    log.error(failure.message, { type: failure.type });
    table.fail(failure);
    await close({ status: 'FAILED', message: failure.message });
    throw failure;
  }
}

/** Runs the waiting trials, `limit` at a time. Ends early, with no trial running, when the history has become long. */
async function runAll(table: SweepTable, limit: number, run: Parameters<SweepTable['run']>[1]): Promise<void> {
  const runTrials = async (): Promise<void> => {
    while (!workflowInfo().continueAsNewSuggested) {
      const row = table.next();
      if (!row) return;
      await table.run(row, run);
    }
  };
  // When the sweep is cancelled, wait until all of its trials have ended.
  const ended = await Promise.allSettled(Array.from({ length: Math.min(limit, table.rows.length) }, runTrials));
  const failed = ended.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason as Error;
}

/**
 * NOTE: the run key is the same in every execution, so that a restarted trial finds its checkpoints and its MLflow run.
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
  const failed = table.rows.find((row) => row.failure);
  const message = `none of ${counted(table.rows.length, 'trial')} was completed${failed?.failure ? `; trial ${failed.number}: ${failed.failure.message}` : ''}`;
  const details: FailureDetails = {
    kind: 'training',
    hint: 'each trial is a workflow of its own, which shows why it failed',
  };
  return expectedFailure({ message, type: 'SweepFailed', details: [details] });
}
