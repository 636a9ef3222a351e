import type {
  Evaluated,
  ResolvedRun,
  TextClassificationInput,
  TextClassificationResult,
  Tracking,
} from '@nautil/contracts';
import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import {
  ActivityFailure,
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  patched,
  TimeoutFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { activitiesOn } from './activities-on.js';
import { failureOf } from './failure-of.js';
import { parseInput } from './parse-input.js';
import { RunControl } from './run-control.js';
import { RunProgress } from './run-progress.js';

const experiment = defineSearchAttributeKey('NautilExperiment', SearchAttributeType.KEYWORD);
const model = defineSearchAttributeKey('NautilModel', SearchAttributeType.KEYWORD);
const dataset = defineSearchAttributeKey('NautilDataset', SearchAttributeType.KEYWORD);
const f1 = defineSearchAttributeKey('NautilF1', SearchAttributeType.DOUBLE);

/**
 * Fine-tunes, evaluates and packages one text classifier. Every stage is found again by the hash of its inputs, so that
 * running a workflow again costs what changed.
 *
 * `temporal workflow start --type textClassification --task-queue nautil --workflow-id my-run --input '{"overrides": ["trainer.max_epochs=1"]}'`
 */
export async function textClassification(input?: unknown): Promise<TextClassificationResult> {
  const { workflowId, firstExecutionRunId, runId, taskQueue } = workflowInfo();
  const { from, runKey = firstExecutionRunId, continued, home = taskQueue, ...request } = parseInput(input);
  const redo = from && { from, token: continued?.redoToken ?? runId };
  const progress = new RunProgress(runKey);
  const control = new RunControl({
    progress,
    continued,
    continueAnew: (left) =>
      continueAsNew<typeof textClassification>({
        ...request,
        runKey,
        from,
        home: run?.queues.cpu ?? home,
        continued: { ...left, redoToken: redo?.token },
      } satisfies TextClassificationInput),
  });

  let run: ResolvedRun | undefined;
  try {
    const { config, overrides } = request;
    const begunBefore = runKey !== firstExecutionRunId && config === undefined && overrides === undefined;
    run = await activitiesOn(home).resolveRun({ ...request, workflowId, runKey, taskQueue, redo, begunBefore });
    progress.home = run.queues.cpu;
    return progress.finish(await runStages(run, control, progress));
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    if (isCancellation(error)) {
      if (run) await closeTracking(run, { status: 'KILLED', message: 'cancelled' });
      throw error;
    }
    const failure = failureOf(error, progress.current);
    progress.fail(failure);
    if (run) await closeTracking(run, { status: 'FAILED', message: failure.message });
    throw failure;
  }
}

async function runStages(
  run: ResolvedRun,
  control: RunControl,
  progress: RunProgress,
): Promise<TextClassificationResult> {
  const cpu = activitiesOn(run.queues.cpu, run);
  const gpu = activitiesOn(run.queues.gpu, run);

  progress.notes.push(...run.notes);
  upsertSearchAttributes([
    { key: experiment, value: run.experiment },
    { key: model, value: run.model },
    { key: dataset, value: run.dataset },
  ]);
  const tracking = await cpu.startTracking(run).catch(untracked);
  progress.mlflowUrl = tracking.url;

  const source = await control.stage('download', () => cpu.download({ run }));
  const data = await control.stage('convert', () => cpu.convert({ run, source }));
  const inputs = await control.stage('cache', () => cpu.cache({ run, source, data }));
  const tokens = await control.stage('tokenize', () => cpu.tokenize({ run, inputs }));
  const trained = await control.training((stopEarly) => gpu.train({ run, inputs, tokens, stopEarly }));
  const evaluated = await control.stage('evaluate', async () => {
    const made = await gpu.evaluate({ run, inputs, tokens, model: trained });
    // No version mark: runs of before there was another way all say that they share files.
    return run.queues.gpuSharesFiles ? made : cpu.bringHome({ run, evaluated: made });
  });
  const packaged = await control.stage('package', () => cpu.package({ run, inputs, tokens, evaluated }));

  if (evaluated.scores) upsertSearchAttributes([{ key: f1, value: evaluated.scores.f1Macro }]);
  const { runId, url } = await CancellationScope.nonCancellable(() =>
    cpu.finishTracking({ run, status: 'FINISHED', evaluated, packaged }),
  ).catch(() => tracking); // the model is there: a tracking server is no reason to fail
  return { nemo: packaged.nemo, ...reported(evaluated), mlflowRunId: runId, mlflowUrl: url };
}

function reported(evaluated: Evaluated): Omit<TextClassificationResult, 'nemo'> {
  const { report, reportFile, evaluations, scores, validation, picked } = evaluated;
  return { report, reportFile, evaluations, scores, validation, weights: picked };
}

/** A tracking server that holds its worker up is no reason to fail; an address that makes no sense is. */
function untracked(error: unknown): Tracking {
  const isLate = error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
  if (isLate && patched('late-tracking-is-gone-without')) return {};
  throw error;
}

/** Leaves no MLflow run open behind a run that has ended; the caller hears of what ended it, not of this. */
async function closeTracking(
  run: ResolvedRun,
  outcome: { status: 'KILLED' | 'FAILED'; message: string },
): Promise<void> {
  const { finishTracking } = activitiesOn(run.queues.cpu, run);
  await CancellationScope.nonCancellable(() => finishTracking({ run, ...outcome })).catch(() => undefined);
}
