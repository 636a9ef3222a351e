import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  checkRequest,
  checkRun,
  finishTracking,
  progressAfter,
  stages,
  startTracking,
  trackingOfTraining,
} from '@nautil/activities';
import { experimentName, loadConfig, revealTree } from '@nautil/config';
import {
  type Evaluated,
  Interrupted,
  type JsonObject,
  type Packaged,
  type PipelineStages,
  recordOf,
  type ResolvedRun,
  runPipeline,
  type StageResult,
  type Tracking,
  type TrainedModel,
  type TrainEvent,
  type TrainHeartbeat,
  type TrainRequest,
  withValueAt,
} from '@nautil/contracts';
import { stackAddresses } from '@nautil/stack';
import { canonicalJson, claimFence, sha256Of } from '@nautil/store';
import { preloadTensorFlow } from '@nautil/tensorflow';
import { runTask } from '@nautil/trainer-process';
import { requireDevices, type TrainControl, type TrainingGroup, TrainingInterrupted } from '@nautil/training';
import { printOutcome } from '../print-outcome.js';
import { showPlan } from '../show-plan.js';
import { isReport } from '../terminal/evaluation-log.js';
import { TrainingDisplay } from '../terminal/training-display.js';
import { configurationFolder } from '../working-folder.js';
import { groupFromEnvironment } from './group-from-environment.js';
import { howToContinue } from './how-to-continue.js';
import type { HydraArguments } from './hydra-arguments.js';
import { leaseGpus } from './lease-gpus.js';
import { shownStage, stagesBeforeTraining } from './local-stages.js';
import { joining, trainAsMember } from './train-as-member.js';

/**
 * Trains without Temporal: runs the stages of the workflow one after another in this process. The run is sent to MLflow if its
 * server is up; otherwise the run's journal keeps the records for `nautil runs sync`.
 *
 * With `trainer.num_nodes` above 1, this is one of several processes. All of them prepare the data and train; the first also evaluates
 * and packages the model.
 *
 * @param o.signal - ends training with a checkpoint
 * @throws Interrupted after the signal, with a hint that states how to continue
 */
export async function trainDirectly(args: HydraArguments, o: { cwd: string; signal: AbortSignal }): Promise<void> {
  const display = new TrainingDisplay();
  let tablesShown = 0;
  const echo = (entry: string): void => {
    display.line(entry);
    if (isReport(entry)) tablesShown++;
  };
  const trackingUri = stackAddresses().mlflowTrackingUri;
  const { run, resumes, group } = await resolve(args, { cwd: o.cwd, echo, trackingUri });
  // The run has no workflow, so the fence is how garbage collection sees that the run is active.
  await claimFence(run.folder);
  for (const note of run.notes) display.note(note);
  display.line(`run folder: ${run.folder}`);
  if (group && group.index > 0) {
    await trainAsMember(run, group, { display, signal: o.signal });
    return;
  }
  const tracking = trackStart(run, trackingUri, display);
  // Only training waits for the server, and so does the end of a run that failed before.
  tracking.catch(() => undefined);

  let evaluated: Evaluated | undefined;
  let packaged: Packaged | undefined;
  let ended: Tracking;
  try {
    ({ evaluated, packaged } = await runStages(run, trackingUri, {
      display,
      echo,
      tracking,
      signal: o.signal,
      group,
    }));
    ended = await finishTracking({ run, status: 'FINISHED', evaluated, packaged }, trackingUri, { attempts });
  } catch (error) {
    await tracking;
    const status = error instanceof TrainingInterrupted ? 'KILLED' : 'FAILED';
    const { warnings = [] } = await finishTracking({ run, status, message: recordOf(error).message }, trackingUri, {
      attempts,
    });
    for (const warning of warnings) display.warn(warning);
    // Another process of the group may have been interrupted.
    if (!o.signal.aborted && !(error instanceof TrainingInterrupted)) throw error;
    throw new Interrupted('interrupted', {
      hint: await howToContinue({ logDir: run.logDir, resumes }),
      cause: error,
    });
  } finally {
    display.close();
  }

  await printOutcome({
    ...evaluated,
    nemo: packaged.nemo,
    kept: packaged.kept,
    workflowId: run.workflowId,
    again: ['train', ...process.argv.slice(3)],
    logDir: run.logDir,
    weights: evaluated.picked,
    // The server may have come back since the start.
    mlflowUrl: ended.url ?? (await tracking).url,
    trackingWarnings: ended.warnings,
    tablesShown,
  });
}

/** Prints the plan of a training, as `nautil run --dry-run` does. @throws what `showPlan` throws */
export async function planDirectly(
  { configName, configPath, overrides }: HydraArguments,
  { cwd }: { cwd: string },
): Promise<void> {
  const loaded = await loadConfig({ configName, configPath, overrides, cwd });
  requireDevices(loaded.config.trainer);
  const { workflowId, key } = identityOf(loaded, cwd);
  const input = {
    ...(configName === undefined ? {} : { config: configName }),
    ...configurationFolder(configPath),
    cwd,
    overrides,
  };
  await checkRequest(input, { cwd });
  await showPlan({ ...input, workflowId: `${workflowId}-${key}` }, { cwd, json: false });
}

/**
 * Resolves the run. With `resume_if_exists` (`resumes`), its key is a digest of the configuration, so the same command finds the
 * run again. Otherwise the key is the current time, and every command starts a new run.
 */
async function resolve(
  args: HydraArguments,
  { cwd, echo, trackingUri }: { cwd: string; echo: (entry: string) => void; trackingUri: string },
): Promise<{ run: ResolvedRun; resumes: boolean; group: TrainingGroup | undefined }> {
  const { configName, configPath, overrides } = args;
  const loaded = await loadConfig({ configName, configPath, overrides, cwd });
  const { config } = loaded;
  requireDevices(config.trainer);
  const group = groupFromEnvironment(config, process.env);
  const isFirst = group === undefined || group.index === 0;
  void preloadTensorFlow({ onednn: config.nautil.onednn }); // while the stages before training run
  const { workflowId, key } = identityOf(loaded, cwd);
  // The processes of a group on one machine share the state folder, but not the folder of a run.
  const runKey = isFirst ? key : `${key}-member-${group.index}`;
  const run = await stages.resolveRun(
    {
      workflowId,
      runKey,
      taskQueue: 'none',
      config: configName,
      overrides,
    },
    {
      cwd,
      runName: `${workflowId}-${key}`,
      configPath,
      echo,
      ownServer: trackingUri,
      check: checkRun,
      logsInFolder: !isFirst,
      command: ['trainer:train', ...process.argv.slice(3)],
    },
  );
  return { run, resumes: config.exp_manager.resume_if_exists, group };
}

/** The name and the key of a run. */
function identityOf(
  { tree, config, fromEnvironment }: Awaited<ReturnType<typeof loadConfig>>,
  cwd: string,
): { workflowId: string; key: string } {
  return {
    workflowId: `train-${experimentName(config.exp_manager)}`,
    key: config.exp_manager.resume_if_exists
      ? sha256Of(canonicalJson({ cwd, tree: withoutAddresses(revealTree(tree, fromEnvironment)) })).slice(0, 16)
      : timeStamp(new Date()),
  };
}

/** What distinguishes a resumed run from others: not the addresses of its processes, which may be started elsewhere. */
const withoutAddresses = (tree: JsonObject): JsonObject => withValueAt(tree, 'nautil.group', null);

/** `2026-11-23_23-15-00-042`: exp_manager's version, to the millisecond. */
const timeStamp = (now: Date): string => now.toISOString().slice(0, 23).replace('T', '_').replace(/[:.]/g, '-');

/** How often a request to MLflow is sent. `nautil runs sync` sends what has not arrived. */
const attempts = 2;

interface StartedTracking {
  url: string | undefined;

  /** False: the user knows already that MLflow does not answer. */
  isTracked: boolean;
}

/** Starts the run in MLflow, and prints its address or what is wrong. */
async function trackStart(run: ResolvedRun, trackingUri: string, display: TrainingDisplay): Promise<StartedTracking> {
  let problem: string | undefined;
  const { url } = await startTracking(run, trackingUri, {
    warn: (message) => (problem = message),
    attempts, // Training tries again.
  });
  if (url) display.line(`MLflow: ${url}`);
  if (problem !== undefined) display.warn(problem);
  else if (!url)
    display.warn(
      `MLflow does not answer at ${run.trackingUri ?? trackingUri}: the run's records are kept in ${join(run.folder, 'mlflow.jsonl')}; \`npx nautil runs sync\` sends them later`,
    );
  return { url, isTracked: problem === undefined };
}

interface StageOptions {
  display: TrainingDisplay;
  echo: (entry: string) => void;

  /** The start of the run in MLflow. */
  tracking: Promise<StartedTracking>;

  signal: AbortSignal;

  /** The processes that train together, of which this is the first. */
  group: TrainingGroup | undefined;
}

async function runStages(
  run: ResolvedRun,
  trackingUri: string,
  o: StageOptions,
): Promise<{ evaluated: Evaluated; packaged: Packaged }> {
  const { display, echo, signal } = o;
  const onGpus = leaseGpus({
    signal,
    onWait: (message) => display.line(message),
  });
  const pipeline: PipelineStages = {
    ...stagesBeforeTraining(o),
    train: (request) => trainHere(request, trackingUri, { ...o, onGpus }),
    evaluate: (request) =>
      stages.evaluate(request, async (options) => runTask(await onGpus({ do: 'evaluate' as const, ...options })), {
        echo,
      }),
    package: (request) => stages.packageModel({ ...request, echo }),
  };
  return runPipeline(run, pipeline, shownStage(o));
}

/** Trains in this process. An aborted signal interrupts training at a checkpoint. */
async function trainHere(
  request: TrainRequest,
  trackingUri: string,
  { display, echo, tracking, signal, group, onGpus }: StageOptions & { onGpus: ReturnType<typeof leaseGpus> },
): Promise<StageResult<TrainedModel>> {
  const control: TrainControl = {};
  const interrupt = (): void => {
    control.stop = 'interrupt';
  };
  signal.addEventListener('abort', interrupt);
  try {
    // The training continues the journal of the run.
    const { isTracked } = await tracking;
    return await stages.trainModel(request, {
      tracking: trackingOfTraining(request, trackingUri),
      ...(group && {
        // The others cannot know that there is a result already, and wait for this process.
        scope: randomUUID(),
        join: () => {
          display.line(joining(group));
          return Promise.resolve(group);
        },
      }),
      compute: async (task, record) => {
        let progress: TrainHeartbeat | undefined;
        const onProgress = (event: TrainEvent): void => {
          if (event.type === 'warning') display.warn(event.message);
          progress = progressAfter(progress, event);
          if (progress && event.type === 'step') display.show(progress);
        };
        const onTrackingWarning = (warning: string): void => {
          if (isTracked) display.warn(warning);
        };
        return runTask(
          await onGpus(task),
          { onProgress, onCommitted: record },
          {
            control,
            onLogEntry: echo,
            onTrackingWarning,
            isTrackingDown: !isTracked,
          },
        );
      },
    });
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
