import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import {
  type JsonObject,
  type JsonValue,
  type Redo,
  type ResolvedRun,
  type RunRequest,
  stageNames,
} from '@nautil/contracts';
import { encoderNameOf } from './encoder-files.js';
import { beginExperiment, type Echo } from './experiment.js';
import { experimentName, loadConfig, type Config } from '@nautil/config';
import {
  canonicalJson,
  defaultFolder,
  fileRef,
  isHubName,
  packageRoot,
  runFolder,
  sha256Of,
  writeFileAtomic,
} from '@nautil/store';
import { EnvironmentInvalid, RunFolderMissing } from '../errors.js';
import { here, type Place } from '../route-run.js';

/** Keys whose values are files or folders: relative ones are taken from `cwd`. */
const pathKeys = [
  'model.nemo_path',
  'model.train_ds.file_path',
  'model.validation_ds.file_path',
  'model.test_ds.file_path',
  'model.tokenizer.vocab_file',
  'model.language_model.lm_checkpoint',
  'model.language_model.config_file',
  'model.class_labels.class_labels_file',
];

/** The same, or names of models and data sets where nothing lies at that path. */
const nameKeys = ['model.language_model.pretrained_model_name', 'model.tokenizer.tokenizer_name', 'nautil.data.source'];

/** Keys that say where things go or are logged; results don't depend on them. */
const withoutEffect = ['exp_manager.exp_dir', 'exp_manager.explicit_log_dir', 'model.nemo_path', 'nautil.mlflow'];

/**
 * Settles what a run is: its configuration with all paths absolute, and its folder. A run that was resolved before (the
 * same workflow id and run key) keeps what was settled then.
 *
 * @param o.cwd - where relative paths start, unless the request says; the repository root without either. Data that a file of
 * the checkout's `conf` names lies in the checkout.
 * @param o.configPath - folder of the configuration, in place of the checkout's `conf`, unless the request says.
 * @param o.place - says where its stages run, anew each time: workers come and go.
 * @param o.command - what was typed, for the run's log; default: the same as `nautil run` takes it.
 */
export async function resolveRun(
  request: RunRequest,
  o: {
    cwd?: string;
    configPath?: string | undefined;
    command?: readonly string[];
    echo?: Echo;
    place?: (request: RunRequest) => Promise<Place>;
  } = {},
): Promise<ResolvedRun> {
  const folder = runFolder(request.workflowId, request.runKey);
  const file = join(folder, 'run.json');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  const place = await (o.place ?? here)(request);
  if (known !== undefined) {
    const run = JSON.parse(known) as ResolvedRun;
    const again = request.redo === undefined ? run : redoing(run, request.redo);
    if (again !== run) await writeFileAtomic(file, JSON.stringify(again, null, 2));
    return { ...again, ...place, notes: [...new Set([...again.notes, ...place.notes])] };
  }
  if (request.begunBefore) throw new RunFolderMissing(folder);

  const cwd = request.cwd ?? o.cwd ?? defaultFolder();
  const { tree, config, notes, isShipped } = await loadConfig({
    configName: request.config,
    configPath: request.configPath ?? o.configPath,
    overrides: request.overrides,
    cwd,
  });
  const resolved: string[] = [];
  for (const key of [...pathKeys, ...nameKeys]) {
    const value = valueAt(tree, key);
    if (typeof value !== 'string' || value === '' || isAbsolute(value) || /^\w+:\/\//.test(value)) continue;
    const path = resolve(key === 'nautil.data.source' && isShipped(key) ? packageRoot() : cwd, value);
    if (nameKeys.includes(key) && isHubName(value) && !existsSync(path)) continue;
    setAt(tree, key, path);
    resolved.push(`${key} is ${path}`);
  }
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'config.json');
  await writeFileAtomic(configFile, JSON.stringify(tree, null, 2));
  const experiment = await beginExperiment({
    tree,
    config,
    cwd,
    command: o.command ?? commandOf(request),
    echo: o.echo,
  });
  const { data } = config.nautil;
  const trainFile = config.model.train_ds.file_path;
  const trackingUri = trackingUriOf(config);
  const run: ResolvedRun = {
    workflowId: request.workflowId,
    runKey: request.runKey,
    folder,
    logDir: experiment.logDir,
    ...(experiment.resumeFrom === undefined ? {} : { resumeFrom: experiment.resumeFrom }),
    config: await fileRef(configFile),
    configDigest: configDigestOf(tree),
    experiment: experimentOf(config),
    ...(trackingUri === null ? {} : { trackingUri }),
    model: basename(encoderNameOf(config.model)),
    dataset: data.format === 'nemo' ? basename(trainFile ?? data.source ?? 'unknown') : data.format,
    ...place,
    notes: [
      ...notes,
      ...resolved,
      ...experiment.warnings,
      `logs and the best checkpoints are in ${experiment.logDir}`,
      ...place.notes,
    ],
    heartbeatTimeoutMs: heartbeatTimeoutMs(),
    ...(request.parentMlflowRunId === undefined ? {} : { parentMlflowRunId: request.parentMlflowRunId }),
  };
  await writeFileAtomic(file, JSON.stringify(run, null, 2));
  return run;
}

/** How long a worker may be silent. Stages beat every two seconds. */
function heartbeatTimeoutMs(): number {
  const given = process.env['NAUTIL_HEARTBEAT_TIMEOUT_MS'] ?? '60000';
  if (/^\d{4,8}$/.test(given) && Number(given) >= 5000) return Number(given);
  throw new EnvironmentInvalid(`NAUTIL_HEARTBEAT_TIMEOUT_MS is ${JSON.stringify(given)} for this worker`, {
    hint: 'a whole number of milliseconds from 5000 on, or leave it out for 60000; then start the worker again',
  });
}

const commandOf = ({ workflowId, config, overrides = [] }: RunRequest): string[] => [
  ...['nautil', 'run', '--workflow-id', workflowId],
  ...(config === undefined ? [] : ['--config-name', config]),
  ...overrides,
];

/** Kept with the run: a training that was made again is the run's own from then on, also when a later stage fails. */
function redoing(run: ResolvedRun, { from, token }: Redo): ResolvedRun {
  const again = stageNames.slice(stageNames.indexOf(from)).map((stage) => [stage, token]);
  return { ...run, redone: { ...run.redone, ...Object.fromEntries(again) } };
}

/** Digest of everything in a resolved configuration that changes results. */
export function configDigestOf(tree: JsonObject): string {
  const copy = structuredClone(tree);
  for (const key of withoutEffect) setAt(copy, key, null);
  return sha256Of(canonicalJson(copy));
}

/** Name of the MLflow experiment that a run is part of. */
export const experimentOf = ({ nautil, exp_manager }: Config): string =>
  nautil.mlflow.experiment ?? exp_manager.mlflow_logger_kwargs.experiment_name ?? experimentName(exp_manager);

/** Address of the MLflow server that the configuration names: Nautil's key first, then NeMo's. */
const trackingUriOf = ({ nautil, exp_manager }: Config): string | null =>
  nautil.mlflow.tracking_uri ?? exp_manager.mlflow_logger_kwargs.tracking_uri;

export function valueAt(tree: JsonObject, key: string): JsonValue | undefined {
  return key.split('.').reduce<JsonValue | undefined>((at, part) => (isObject(at) ? at[part] : undefined), tree);
}

export function setAt(tree: JsonObject, key: string, value: JsonValue): void {
  const parts = key.split('.');
  const last = parts.pop()!;
  const holder = parts.reduce<JsonValue | undefined>((at, part) => (isObject(at) ? at[part] : undefined), tree);
  if (isObject(holder) && last in holder) holder[last] = value;
}

/** A copy without some keys, each given by its path, and without what is empty then. */
export function withoutKeys(tree: JsonObject, keys: readonly string[]): JsonObject {
  const copy = structuredClone(tree);
  for (const key of keys) deleteAt(copy, key.split('.'));
  return copy;
}

function deleteAt(tree: JsonObject, [key, ...rest]: string[]): void {
  const value = tree[key!];
  if (rest.length > 0 && isObject(value)) deleteAt(value, rest);
  if (rest.length === 0 || (isObject(value) && Object.keys(value).length === 0)) delete tree[key!];
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
