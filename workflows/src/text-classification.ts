import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ActivityFailure,
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  TimeoutFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type Evaluated,
  findingLine,
  nautilCommand,
  type ResolvedRun,
  type RunActivities,
  runPipeline,
  type TextClassificationInput,
  type TextClassificationResult,
  type Tracking,
} from '@nautil/contracts';
import { activitiesOn, groupActivitiesOn } from './activities-on.js';
import { parseInput } from './parse-input.js';
import { RunControl } from './run-control.js';
import { RunProgress } from './run-progress.js';
import { rootFailure, toWorkflowFailure } from './to-workflow-failure.js';
import { TrainingGroup } from './training-group.js';

const experiment = defineSearchAttributeKey('NautilExperiment', SearchAttributeType.KEYWORD);
const model = defineSearchAttributeKey('NautilModel', SearchAttributeType.KEYWORD);
const dataset = defineSearchAttributeKey('NautilDataset', SearchAttributeType.KEYWORD);
const f1 = defineSearchAttributeKey('NautilF1', SearchAttributeType.DOUBLE);

/**
 * Fine-tunes, evaluates and packages one text classifier. The output of each stage is cached by the hash of its inputs, so a
 * repeated run only performs the stages whose inputs have changed.
 *
 * `temporal workflow start --type textClassification --task-queue nautil --workflow-id my-run --input '{"overrides": ["trainer.max_epochs=1"]}'`
 */
export async function textClassification(input?: unknown): Promise<TextClassificationResult> {
  const { workflowId, firstExecutionRunId, runId, taskQueue } = workflowInfo();
  const { from, runKey = firstExecutionRunId, continued, home: homeQueue = taskQueue, ...request } = parseInput(input);
  const redo = from && { from, token: continued?.redoToken ?? runId };
  const progress = new RunProgress(runKey);
  const control = new RunControl({
    progress,
    continued,
    continueAsNew: (state) => {
      log.info('continuing as new: the history is long');
      return continueAsNew<typeof textClassification>({
        ...request,
        runKey,
        from,
        home: run?.queues.cpu ?? homeQueue,
        continued: { ...state, redoToken: redo?.token },
      } satisfies TextClassificationInput);
    },
  });

  let run: ResolvedRun | undefined;
  try {
    const { config, overrides } = request;
    const begunBefore = runKey !== firstExecutionRunId && config === undefined && overrides === undefined;
    run = await activitiesOn(homeQueue).resolveRun({ ...request, workflowId, runKey, taskQueue, redo, begunBefore });
    progress.homeQueue = run.queues.cpu;
    progress.logDir = run.logDir;
    return progress.finish(await runStages(run, control, progress));
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    if (isCancellation(error)) {
      log.info('the run was cancelled', { stage: progress.current });
      if (run) await closeTracking(run, { status: 'KILLED', message: 'cancelled' });
      throw error;
    }
    const failure = toWorkflowFailure(error, progress.current);
    log.error(failure.message, { stage: progress.current, type: failure.type });
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
  const train = trainingOf(run, progress);

  for (const note of run.notes) progress.notes.push(note);
  upsertSearchAttributes([
    { key: experiment, value: keyword(run.experiment) },
    { key: model, value: keyword(run.model) },
    { key: dataset, value: keyword(run.dataset) },
  ]);
  const tracking = await cpu.startTracking(run).catch(continueUntracked);
  progress.mlflowUrl = tracking.url;

  const { evaluated, packaged } = await runPipeline(
    run,
    {
      ...cpu,
      train: (request) => control.trainToEnd((stopEarly) => train({ ...request, stopEarly })),
      evaluate: async (request) => {
        const result = await gpu.evaluate(request);
        // No `patched()` needed: in old histories gpuSharesFiles is always true.
        return run.queues.gpuSharesFiles ? result : cpu.bringHome({ run, evaluated: result });
      },
    },
    (stage, work) => control.stage(stage, work),
  );

  if (evaluated.findings)
    setCurrentDetails(evaluated.findings.map((finding) => `- ${findingLine(finding)}`).join('\n'));
  if (evaluated.scores) upsertSearchAttributes([{ key: f1, value: evaluated.scores.f1Macro }]);
  const { runId, url, warnings } = await CancellationScope.nonCancellable(() =>
    cpu.finishTracking({ run, status: 'FINISHED', evaluated, packaged }),
  ).catch((error: unknown) => ({ ...tracking, warnings: [notClosed(error)] })); // The model exists, so the run must not fail.
  return {
    nemo: packaged.nemo,
    ...(packaged.kept && { kept: packaged.kept }),
    ...reportOf(evaluated),
    mlflowRunId: runId,
    mlflowUrl: url,
    ...(warnings && { trackingWarnings: warnings }),
  };
}

/** Trains a run with one activity, or with one for each member of its group. */
function trainingOf(run: ResolvedRun, progress: RunProgress): RunActivities['train'] {
  const { group, queues } = run;
  // No `patched()` needed: old histories have no group.
  if (group === undefined) return activitiesOn(queues.gpu, run).train;
  const activities = groupActivitiesOn(queues.gpu, run);
  const training = new TrainingGroup({
    onNote: (note) => {
      progress.note(note);
    },
  });
  return (request) =>
    training.train(group, queues.gpu, {
      train: (place) => activities.train({ ...request, place }),
      trainMember: (place) => activities.trainMember({ ...request, place }),
    });
}

/** The server refuses a keyword above 2 kB, and with it every workflow task of the run. */
const keyword = (name: string): string => name.slice(0, 500);

const notClosed = (error: unknown): string =>
  `the end of the run was not recorded for MLflow: ${rootFailure(error).message}; \`${nautilCommand('resume', workflowInfo().workflowId)}\` tries again`;

function reportOf(evaluated: Evaluated): Omit<TextClassificationResult, 'nemo'> {
  const { report, reportFile, evaluations, scores, validation, picked, stopReason, findings } = evaluated;
  return { report, reportFile, evaluations, scores, validation, weights: picked, stopReason, findings };
}

/** The run continues without MLflow when its server makes the activity time out, but fails when its address is invalid. */
function continueUntracked(error: unknown): Tracking {
  const isTimeout = error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
  if (!isTimeout || !patched('late-tracking-is-gone-without')) throw error;
  log.warn('MLflow did not answer in time: the run continues without it');
  return {};
}

/** Closes the MLflow run of a run that has ended. An error here is ignored: the caller reports what ended the run. */
async function closeTracking(
  run: ResolvedRun,
  outcome: { status: 'KILLED' | 'FAILED'; message: string },
): Promise<void> {
  const { finishTracking } = activitiesOn(run.queues.cpu, run);
  await CancellationScope.nonCancellable(() => finishTracking({ run, ...outcome })).catch(() => undefined);
}
