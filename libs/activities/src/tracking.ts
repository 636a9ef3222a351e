import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { EpochEvaluated, ResolvedRun, RunOutcome, Tracking, TrainedModel, TrainEvent } from '@nautil/contracts';
import { flattenParams, openTracker, trackTraining, type TrackerOptions } from '@nautil/mlflow';
import type { TrackingTask } from '@nautil/training';
import { configOf } from './stages/run-settings.js';

/** How long closing a run waits for a server that is slow; the journal keeps the rest. */
const flushMs = 60_000;

/** The same in the middle of a run, and for a server that has never answered. */
const shortFlushMs = 5_000;

/** How a run is tracked: one MLflow run for each workflow id and run key, and a journal beside the checkpoints. */
export function trackingOf(run: ResolvedRun, trackingUri: string): TrackingTask & TrackerOptions {
  return {
    trackingUri,
    experiment: run.experiment,
    runName: run.workflowId,
    workflowId: run.workflowId,
    runKey: run.runKey,
    parentRunId: run.parentMlflowRunId,
    journal: join(run.folder, 'mlflow.jsonl'),
    tags: { 'nautil.config_digest': run.configDigest, 'nautil.model': run.model, 'nautil.dataset': run.dataset },
  };
}

/** Creates or finds the MLflow run, and logs every parameter of the resolved configuration. */
export async function startTracking(run: ResolvedRun, trackingUri: string): Promise<Tracking> {
  const tracker = await openTracker(trackingOf(run, trackingUri));
  try {
    const { tree } = await configOf(run);
    tracker.params(flattenParams(tree));
    await tracker.flush({ timeoutMs: 10_000 });
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

/** Closes the MLflow run, with the resolved configuration, the report and the archive when there are any. */
export async function finishTracking(
  { run, status, message, evaluated, packaged }: RunOutcome,
  trackingUri: string,
): Promise<Tracking> {
  const tracker = await openTracker(trackingOf(run, trackingUri));
  try {
    if (evaluated) {
      const lines = (await readFile(evaluated.evaluations.path, 'utf8')).split('\n').filter((line) => line !== '');
      const last = JSON.parse(lines.at(-1)!) as Omit<EpochEvaluated, 'timestampMs'>;
      // The timestamp is the file's own, so that a repetition writes the same row.
      if (last.split === 'test')
        trackTraining(tracker, { ...last, timestampMs: await modifiedMs(evaluated.evaluations.path) });
      tracker.artifact(evaluated.reportFile.path, 'report');
      tracker.artifact(evaluated.evaluations.path, 'report');
    }
    tracker.artifact(run.config.path, 'config');
    if (packaged) tracker.artifact(packaged.nemo.path, 'model');
    const timeoutMs = tracker.runId === undefined ? shortFlushMs : flushMs;
    await tracker.finish(status, message, { timeoutMs });
    return { runId: tracker.runId, url: tracker.runUrl };
  } finally {
    await tracker.close();
  }
}

const modifiedMs = async (path: string): Promise<number> => Math.trunc((await stat(path)).mtimeMs);
