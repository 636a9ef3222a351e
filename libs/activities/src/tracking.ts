import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringifyNemoYaml } from '@nautil/formats';
import type {
  EpochEvaluated,
  ResolvedRun,
  RunOutcome,
  Tracking,
  TrainedModel,
  TrainEvent,
  TrainRequest,
} from '@nautil/contracts';
import { formatReport } from '@nautil/metrics';
import {
  flattenParams,
  MlflowClient,
  openTracker,
  registerModel,
  trackTraining,
  type TrackerOptions,
} from '@nautil/mlflow';
import type { TrackingTask } from '@nautil/trainer-process';
import { configOf } from './stages/run-settings.js';

/** How long closing a run waits for a server that is slow, and a second more per megabyte; the journal keeps the rest. */
const flushMs = 60_000;

/** The same in the middle of a run, and for a server that has never answered. */
const shortFlushMs = 5_000;

/** How long a server that is away when a run ends is waited for: it takes ten seconds or more to start again. */
export const patienceMs = 20_000;

/** How a run is tracked: one MLflow run for each workflow id and run key, and a journal beside the checkpoints. */
export function trackingOf(run: ResolvedRun, trackingUri: string): TrackingTask & TrackerOptions {
  return {
    trackingUri: run.trackingUri ?? trackingUri,
    experiment: run.experiment,
    runName: run.workflowId,
    workflowId: run.workflowId,
    runKey: run.runKey,
    parentRunId: run.parentMlflowRunId,
    journal: join(run.folder, 'mlflow.jsonl'),
    tags: { 'nautil.config_digest': run.configDigest, 'nautil.model': run.model, 'nautil.dataset': run.dataset },
  };
}

/** The same from training on, when it is known what the run is made from. */
export function trackingOfTraining(
  { run, inputs, tokens }: TrainRequest,
  trackingUri: string,
): TrackingTask & TrackerOptions {
  const tracking = trackingOf(run, trackingUri);
  const digests = {
    'nautil.data_digest': inputs.data.digest,
    'nautil.encoder_digest': inputs.encoderDigest,
    'nautil.tokenizer_digest': tokens.tokenizerDigest,
  };
  return { ...tracking, tags: { ...tracking.tags, ...digests } };
}

/** Creates or finds the MLflow run, and logs every parameter of the resolved configuration. */
export async function startTracking(run: ResolvedRun, trackingUri: string): Promise<Tracking> {
  const tracker = await openTracker(trackingOf(run, trackingUri));
  try {
    const { tree } = await configOf(run);
    tracker.params(flattenParams(tree));
    await tracker.flush({ timeoutMs: tracker.runId === undefined ? 0 : 10_000 });
    return { runId: tracker.runId, url: tracker.runUrl };
  } finally {
    await tracker.close();
  }
}

/** Logs a training that was found and not made: those rows that the MLflow run of this one lacks, as they were then. */
export async function trackTrained({ events }: Pick<TrainedModel, 'events'>, tracking: TrackerOptions): Promise<void> {
  const tracker = await openTracker(tracking);
  try {
    for await (const line of createInterface({ input: createReadStream(events.path) }))
      trackTraining(tracker, JSON.parse(line) as TrainEvent);
    await tracker.flush({ timeoutMs: shortFlushMs });
  } finally {
    await tracker.close();
  }
}

/** Closes the MLflow run, with the resolved configuration, the report, its pictures and the archive when there are any. */
export async function finishTracking(
  { run, status, message, evaluated, packaged }: RunOutcome,
  trackingUri: string,
): Promise<Tracking> {
  const tracking = trackingOf(run, trackingUri);
  const tracker = await openTracker(tracking);
  try {
    if (evaluated) {
      const lines = (await readFile(evaluated.evaluations.path, 'utf8')).split('\n').filter((line) => line !== '');
      const last = lines.at(-1) === undefined ? undefined : (JSON.parse(lines.at(-1)!) as UntimedEvaluation);
      // The timestamp is the file's own, so that a repetition writes the same row.
      if (last?.split === 'test')
        trackTraining(tracker, { ...last, timestampMs: await modifiedMs(evaluated.evaluations.path) });
      if (evaluated.report) tracker.text('report/report.txt', `${formatReport(evaluated.report)}\n`);
      const { reportFile, evaluations, answers, charts = [] } = evaluated;
      for (const file of [reportFile, evaluations, answers, ...charts])
        if (file) tracker.artifact(file.path, `report/${basename(file.path)}`);
    }
    const { tree, config } = await configOf(run);
    tracker.text('config/config.yaml', stringifyNemoYaml(tree));
    const archive = packaged && `model/${basename(packaged.nemo.path)}`;
    if (packaged && archive) tracker.artifact(packaged.nemo.path, archive);
    const timeoutMs = tracker.runId === undefined ? shortFlushMs : flushMs + (packaged?.nemo.sizeBytes ?? 0) / 1000;
    const arrived = await tracker.finish(status, message, { timeoutMs, patienceMs });
    const { runId } = tracker;
    const name = config.nautil.mlflow.registered_model_name;
    if (name !== null && archive && runId) {
      if (arrived) await register({ name, runId, path: archive, trackingUri: tracking.trackingUri! });
      else console.warn(notRegistered(name, 'the archive has not arrived at MLflow yet'));
    }
    return { runId, url: tracker.runUrl };
  } finally {
    await tracker.close();
  }
}

type UntimedEvaluation = Omit<EpochEvaluated, 'timestampMs'>;

/** A version of the registered model for each run; a registry that refuses is no reason to fail a run that is done. */
async function register({ trackingUri, ...version }: Registration): Promise<void> {
  try {
    await registerModel(new MlflowClient({ trackingUri }), version);
  } catch (error) {
    console.warn(notRegistered(version.name, (error as Error).message));
  }
}

interface Registration {
  name: string;
  runId: string;
  path: string;
  trackingUri: string;
}

const notRegistered = (name: string, why: string): string =>
  `the model was not registered as ${name}: ${why}; register it in MLflow, from the artifacts of the run`;

const modifiedMs = async (path: string): Promise<number> => Math.trunc((await stat(path)).mtimeMs);
