import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { printConfig, wholeFloats } from '@nautil/config';
import {
  type Evaluated,
  findingLine,
  type ResolvedRun,
  type RunOutcome,
  scoresSentence,
  type Tracking,
  type TrainedModel,
  type TrainRequest,
  valueAt,
} from '@nautil/contracts';
import { parseEvaluations, parseLoggedEvent } from '@nautil/contracts/schemas';
import { parseNemoYaml } from '@nautil/formats/nemo';
import { formatReport, macroTags } from '@nautil/metrics';
import { flattenParams, openTracker, packagedStepTag, trackCommitted, type TrackerOptions } from '@nautil/mlflow';
import { isIntact } from '@nautil/store';
import { readTextLines } from '@nautil/store/streams';
import type { TrackingTask } from '@nautil/trainer-process';
import { environmentOf } from './run-environment.js';
import { configOf, numClassesKey, savedConfigFile } from './stages/run-settings.js';

/** How long closing a run waits for a slow server, plus one second per megabyte of the archive. The journal keeps what is left. */
const flushMs = 60_000;

/** The same during a run, and for a server that has never answered. */
const shortFlushMs = 5_000;

/** How long the end of a run waits for a server that is down, which takes ten seconds or more to restart. */
export const patienceMs = 20_000;

/**
 * The tracker's options for a run: one MLflow run for each workflow id and run key, and a journal beside the checkpoints.
 *
 * @param trackingUri - the server of this process, which tracks the run unless its configuration names another one
 */
function trackingOf(run: ResolvedRun, trackingUri: string): TrackingTask & TrackerOptions {
  return {
    trackingUri: run.trackingUri ?? trackingUri,
    ownServer: trackingUri,
    experiment: run.experiment,
    runName: run.workflowId,
    workflowId: run.workflowId,
    runKey: run.runKey,
    parentRunId: run.parentMlflowRunId,
    journal: join(run.folder, 'mlflow.jsonl'),
    tags: { 'nautil.config_digest': run.configDigest, 'nautil.model': run.model, 'nautil.dataset': run.dataset },
  };
}

/** The same with the digests of the data, the encoder and the tokenizer, which are known once training starts. */
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

/**
 * Creates or finds the MLflow run, and logs every parameter of the resolved configuration. Params are write-once, so the number
 * of classes is left out while it is open; `finishTracking` logs it.
 */
export async function startTracking(
  run: ResolvedRun,
  trackingUri: string,
  o: Pick<TrackerOptions, 'warn' | 'attempts'> = {},
): Promise<Tracking> {
  const tracker = await openTracker({ ...trackingOf(run, trackingUri), ...o });
  try {
    const { tree, config } = await configOf(run);
    const { [numClassesKey]: numClasses, ...params } = { ...flattenParams(tree), ...wholeFloats(tree) };
    const isOpen = config.model.dataset.num_classes === null;
    tracker.params({ ...params, ...(!isOpen && { [numClassesKey]: numClasses }) });
    await tracker.flush({ timeoutMs: tracker.runId === undefined ? 0 : 10_000 });
    return { runId: tracker.runId, url: tracker.runUrl };
  } finally {
    await tracker.close();
  }
}

/** Logs the events of a reused training to the MLflow run of this one, with their original timestamps. */
export async function trackTrained({ events }: Pick<TrainedModel, 'events'>, tracking: TrackerOptions): Promise<void> {
  const tracker = await openTracker(tracking);
  try {
    for await (const line of readTextLines(events.path)) trackCommitted(tracker, parseLoggedEvent(line, events.path));
    await tracker.flush({ timeoutMs: shortFlushMs });
  } finally {
    await tracker.close();
  }
}

/**
 * Closes the MLflow run, with the resolved configuration and, if they exist, the report, its charts and the archive.
 *
 * @returns with warnings about what MLflow does not have
 */
export async function finishTracking(
  { run, status, message, evaluated, packaged }: RunOutcome,
  trackingUri: string,
  o: Pick<TrackerOptions, 'attempts'> = {},
): Promise<Tracking> {
  const warnings: string[] = [];
  const environment = environmentOf(run);
  const warn = (warning: string): void => void warnings.push(environment.conceal(warning));
  const tracker = await openTracker({ ...trackingOf(run, trackingUri), ...o, warn, isEnding: true });
  try {
    if (evaluated) {
      const { path } = evaluated.evaluations;
      const last = parseEvaluations(await readFile(path, 'utf8'), path).at(-1);
      // An evaluation of the training has a timestamp, and was logged there. The timestamp of the file lets a retry write the same row.
      if (last && last.timestampMs === undefined)
        trackCommitted(tracker, { ...last, timestampMs: await modifiedMs(path) });
      if (evaluated.step !== undefined) tracker.tags({ [packagedStepTag]: String(evaluated.step) });
      if (evaluated.scores && last) tracker.tags(macroTags(last.report));
      tracker.tags(descriptionTags(evaluated));
      if (evaluated.report) tracker.text('report/report.txt', `${formatReport(evaluated.report)}\n`);
      const { reportFile, evaluations, answers, charts = [] } = evaluated;
      for (const file of [reportFile, evaluations, answers, ...charts])
        if (file && (await isIntact(file))) tracker.artifact(file.path, `report/${basename(file.path)}`);
        else if (file) warn(`${file.path} is damaged or missing, and is not sent to MLflow`);
    }
    const { tree, config } = await configOf(run);
    const savedFile = savedConfigFile(run);
    const saved = await readFile(savedFile).catch(() => undefined);
    tracker.text('config/config.yaml', saved?.toString() ?? printConfig(tree, run.fromEnvironment));
    const counted = saved && valueAt(parseNemoYaml(saved, savedFile), numClassesKey);
    if (config.model.dataset.num_classes === null && counted !== undefined)
      tracker.params({ [numClassesKey]: counted });
    const archive = packaged && `model/${basename(packaged.nemo.path)}`;
    // A later run may overwrite the file at model.nemo_path before the server is back.
    if (packaged && archive) tracker.artifact(packaged.stored ?? packaged.nemo.path, archive);
    const timeoutMs = tracker.runId === undefined ? shortFlushMs : flushMs + (packaged?.nemo.sizeBytes ?? 0) / 1000;
    const name = config.nautil.mlflow.registered_model_name;
    const register = name !== null && archive ? { name, path: archive } : undefined;
    await tracker.finish(status, environment.conceal(message), { timeoutMs, patienceMs, register });
    return { runId: tracker.runId, url: tracker.runUrl, ...(warnings.length > 0 && { warnings }) };
  } finally {
    await tracker.close();
  }
}

/** MLflow's UI shows the second tag as the description of the run. Its table of metrics has the newest evaluations of the training. */
function descriptionTags({ findings = [], picked, scores, validation, step }: Evaluated): Record<string, string> {
  const weights = `the packaged weights (${picked === 'best' ? 'best validation' : 'last step'}${step === undefined ? '' : `, step ${step}`})`;
  const sets = [scores, validation].filter((one) => one !== undefined).map(scoresSentence);
  const lines = [
    ...(sets.length === 0 ? [] : [`Scores of ${weights}: ${sets.join('; ')}`, '']),
    ...findings.map((finding) => `- ${findingLine(finding)}`),
  ];
  return {
    'nautil.findings': findings.map(({ code }) => code).join(', ') || 'none',
    ...(lines.length > 0 && { 'mlflow.note.content': lines.join('\n').trimEnd() }),
  };
}

const modifiedMs = async (path: string): Promise<number> => Math.trunc((await stat(path)).mtimeMs);
