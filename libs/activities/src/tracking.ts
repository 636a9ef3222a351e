import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { printConfig, wholeFloats } from '@nautil/config';
import {
  type CachedInputs,
  type Evaluated,
  findingLine,
  largest,
  type ResolvedRun,
  type RunOutcome,
  scoresSentence,
  shellWord,
  type Tracking,
  type TrainedModel,
  type TrainRequest,
  valueAt,
} from '@nautil/contracts';
import { parseEvaluations, parseLoggedEvent } from '@nautil/contracts/schemas';
import { parseNemoYaml } from '@nautil/formats/nemo';
import { formatReport, macroTags } from '@nautil/metrics';
import {
  type Dataset,
  flattenParams,
  openTracker,
  packagedStepTag,
  trackCommitted,
  type TrackerOptions,
} from '@nautil/mlflow';
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
    tags: { 'nautil.model': run.model, 'nautil.dataset': run.dataset },
  };
}

/** The same with the data, which is known once training starts. */
export const trackingOfTraining = (
  { run, inputs }: TrainRequest,
  trackingUri: string,
): TrackingTask & TrackerOptions => ({ ...trackingOf(run, trackingUri), datasets: datasetsOf(run, inputs) });

const contexts = { train: 'training', validation: 'validation', test: 'testing' } as const;

/** What the run reads, each set with the digest of its examples. */
function datasetsOf({ dataset, sources = {} }: ResolvedRun, { data }: CachedInputs): Dataset[] {
  const seen = new Set<string>();
  const columns = [...(data.pairs ? ['text', 'second text'] : ['text']), 'label'];
  return (['train', 'validation', 'test'] as const).flatMap((set) => {
    const [sha256, rows] = [data[set]?.sha256, data.examples[set]];
    if (sha256 === undefined || rows === undefined) return [];
    const source = sources[set] ?? sources.train ?? dataset;
    const file = source === sources.train ? dataset : basename(source);
    // MLflow has one input for a name and digest, also if the same file is the validation and the test set.
    const name = seen.has(`${file} ${sha256}`) ? `${file} (${contexts[set]})` : file;
    seen.add(`${file} ${sha256}`);
    return [{ name, context: contexts[set], digest: sha256, source, rows, columns }];
  });
}

/**
 * Creates or finds the MLflow run, and logs every parameter of the resolved configuration. Params are write-once, so the number
 * of classes is left out while it is open; `finishTracking` logs it.
 */
export async function startTracking(
  run: ResolvedRun,
  trackingUri: string,
  o: Pick<TrackerOptions, 'warn' | 'attempts'> & { workflowUrl?: string | undefined } = {},
): Promise<Tracking> {
  const tracker = await openTracker({ ...trackingOf(run, trackingUri), ...o });
  try {
    tracker.tags(descriptionTags({ run }, o.workflowUrl));
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
  outcome: RunOutcome,
  trackingUri: string,
  o: Pick<TrackerOptions, 'attempts'> & { workflowUrl?: string | undefined } = {},
): Promise<Tracking> {
  const { run, status, message, evaluated, packaged } = outcome;
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
      if (evaluated.report) tracker.text('report/report.txt', `${formatReport(evaluated.report)}\n`);
      const { reportFile, evaluations, answers, charts = [] } = evaluated;
      for (const file of [reportFile, evaluations, answers, ...charts])
        if (file && (await isIntact(file))) tracker.artifact(file.path, `report/${basename(file.path)}`);
        else if (file) warn(`${file.path} is damaged or missing, and is not sent to MLflow`);
    }
    if (message === undefined) tracker.tags(descriptionTags(outcome, o.workflowUrl));
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

/**
 * MLflow's UI shows the second tag as the description of the run, in Markdown. Its table of metrics has the newest evaluations of the
 * training.
 */
const descriptionTags = (
  { run, evaluated, packaged }: Pick<RunOutcome, 'run' | 'evaluated' | 'packaged'>,
  workflowUrl: string | undefined,
): Record<string, string> => ({
  ...(evaluated && { 'nautil.findings': (evaluated.findings ?? []).map(({ code }) => code).join(', ') || 'none' }),
  'mlflow.note.content': [
    // The UI shows the first lines, and the others on request.
    ...(evaluated ? scoresOf(evaluated) : []),
    `${inCode(run.model)} on ${inCode(run.dataset)}${workflowUrl === undefined ? '' : ` · [in Temporal](${workflowUrl})`}`,
    ...(evaluated?.findings?.length
      ? [evaluated.findings.map((finding) => `- ${findingLine(finding)}`).join('\n')]
      : []),
    ...(packaged ? [fenced(`npx nautil predict --model ${shellWord(packaged.nemo.path)} --input FILE`)] : []),
  ].join('\n\n'),
});

/** The scores of the packaged weights, as a paragraph, and the weights. */
function scoresOf({ picked, scores, validation, step }: Evaluated): string[] {
  const sets = [scores, validation].filter((one) => one !== undefined);
  if (sets.length === 0) return [];
  const weights = `the packaged weights are those of the ${picked === 'best' ? 'best validation' : 'last step'}`;
  return [`**${sets.map(scoresSentence).join('; ')}** (${weights}${step === undefined ? '' : `, after step ${step}`})`];
}

/** A name as code in Markdown, whatever it contains. */
const inCode = (name: string): string => {
  const fence = '`'.repeat(1 + largest([0, ...(name.match(/`+/g) ?? []).map(({ length }) => length)]));
  return `${fence} ${name} ${fence}`;
};
const fenced = (command: string): string => `\`\`\`sh\n${command}\n\`\`\``;

const modifiedMs = async (path: string): Promise<number> => Math.trunc((await stat(path)).mtimeMs);
