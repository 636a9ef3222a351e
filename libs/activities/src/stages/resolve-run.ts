import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import {
  type Config,
  type EnvironmentValues,
  escapeReferences,
  experimentName,
  keysThat,
  loadConfig,
  type LoadedConfig,
  readConfig,
  revealTree,
  runPlaceholder,
  userPath,
} from '@nautil/config';
import {
  type JsonObject,
  maskSecrets,
  type Redo,
  replaceAt,
  type ResolvedRun,
  type RunGroup,
  type RunRequest,
  type Stage,
  stageNames,
  valueAt,
  withoutSecrets,
} from '@nautil/contracts';
import { parseResolvedRun } from '@nautil/contracts/schemas';
import { withholdsCredentials } from '@nautil/mlflow';
import { beginExperiment, type Echo, resumePoint } from '@nautil/nemo';
import { fileRef, writeFileAtomic } from '@nautil/store';
import { isHubName } from '@nautil/store/download';
import { createFolder, defaultFolder, folderName, packageRoot, runFolder } from '@nautil/store/folders';
import { asExpectedError } from '../as-expected-error.js';
import { checkRun } from '../check-run.js';
import { EnvironmentInvalid, RunFolderMissing } from '../errors.js';
import { localRouting, type Route } from '../route-run.js';
import { environmentNamed, requireAllowed, revealRun } from '../run-environment.js';
import { encoderNameOf } from './encoder-files.js';
import { keepResumed } from './keep-resumed.js';
import { resultDigestOf } from './run-settings.js';

/** Keys whose values are paths, and those whose values may be names of models and datasets instead. */
const pathKeys = keysThat(({ path }) => path === 'input' || path === 'output');
const nameKeys = keysThat(({ path }) => path === 'name');

interface ResolveOptions {
  cwd?: string;
  runName?: string | undefined;
  configPath?: string | undefined;
  command?: readonly string[];
  echo?: Echo;
  route?: (request: RunRequest) => Promise<Route>;
  ownServer?: string;
  allowedEnv?: readonly string[];
  check?: (config: Config, o: { cwd: string }) => Promise<void>;
  logsInFolder?: boolean;
  planIn?: string;
}

/**
 * Resolves the configuration of a run, with all paths absolute, and creates the run's folder. A run that was resolved before
 * (the same workflow id and run key) keeps its configuration.
 *
 * @param o.cwd - base of relative paths if the request has none; default: the repository root. Sample data in the shipped `conf` is
 * relative to the package.
 * @param o.runName - replaces `{run}` in `model.nemo_path`; default: the workflow id
 * @param o.configPath - folder of the configuration if the request has none; default: the shipped `conf`
 * @param o.route - chooses the task queues, each time the run is resolved, because workers come and go
 * @param o.command - the command line, for the run's log; default: the equivalent `nautil run`
 * @param o.ownServer - the MLflow server of this process, to which alone it sends its credentials
 * @param o.allowedEnv - the variables that the configuration may read; default: all
 * @param o.logsInFolder - keeps logs in the run's folder and resumes nothing, for a member of a group other than the first
 * @param o.planIn - the folder of the run, outside which nothing is created, for a run that is planned and not started
 * @param o.check - rejects a configuration with which no run can succeed, before anything is created; see `checkRun`
 * @throws ConfigError, and what `check` throws
 */
export async function resolveRun(request: RunRequest, o: ResolveOptions = {}): Promise<ResolvedRun> {
  const folder = o.planIn ?? runFolder(request.workflowId, request.runKey);
  const file = join(folder, 'run.json');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  const route = await (o.route ?? localRouting)(request);
  if (known !== undefined) {
    const stored = parseResolvedRun(known, file);
    if (o.allowedEnv) requireAllowed(stored, o.allowedEnv);
    const run = inFolder(stored, folder);
    const resumed = request.redo === undefined ? run : withRedo(run, request.redo);
    if (resumed !== stored) await writeFileAtomic(file, JSON.stringify(resumed, null, 2));
    return { ...revealRun(resumed), ...route, notes: [...new Set([...resumed.notes, ...route.notes])] };
  }
  if (request.begunBefore) throw new RunFolderMissing(folder);

  const cwd = request.cwd ?? o.cwd ?? defaultFolder();
  const { configPath, allowedEnv } = o;
  const runName = folderName(o.runName ?? request.workflowId);
  const loaded = await loadRun(request, { cwd, configPath, allowedEnv, runName });
  const environment = environmentNamed(loaded.fromEnvironment.names);
  return createRun(request, loaded, { ...o, cwd, folder, file, route, environment }).catch((error: unknown) => {
    throw environment.concealError(asExpectedError(error));
  });
}

/** Creates the run's folder, and records the run in it. */
async function createRun(
  request: RunRequest,
  { tree, config, notes, resolved, fromEnvironment }: Awaited<ReturnType<typeof loadRun>>,
  o: Pick<ResolveOptions, 'check' | 'command' | 'echo' | 'ownServer' | 'logsInFolder' | 'planIn'> & {
    cwd: string;
    folder: string;
    file: string;
    route: Route;
    environment: EnvironmentValues;
  },
): Promise<ResolvedRun> {
  const { cwd, folder, file, route, environment } = o;
  await o.check?.(config, { cwd });
  await createFolder(folder);
  const configFile = join(folder, 'config.json');
  await writeFileAtomic(configFile, JSON.stringify(tree, null, 2));
  const isPlan = o.planIn !== undefined;
  const experiment =
    o.logsInFolder || isPlan
      ? {
          ...(await emptyExperiment(join(folder, 'experiment'))),
          ...(isPlan && (await resumePoint({ manager: config.exp_manager, cwd }))),
        }
      : await beginExperiment({
          tree,
          config,
          fromEnvironment,
          cwd,
          command: o.command ?? commandOf(request),
          echo: o.echo,
        });
  const group = groupOf(config);
  const { data } = config.nautil;
  const trainFile = config.model.train_ds.file_path;
  const trackingUri = trackingUriOf(config);
  const run: ResolvedRun = {
    workflowId: request.workflowId,
    runKey: request.runKey,
    folder,
    logDir: experiment.logDir,
    ...(experiment.resumeFrom === undefined ? {} : { resumeFrom: await keepResumed(experiment.resumeFrom, folder) }),
    config: await fileRef(configFile),
    configDigest: resultDigestOf(config, { paths: true }),
    ...(fromEnvironment.names.length > 0 && { fromEnvironment }),
    experiment: environment.conceal(experimentOf(config)),
    ...(trackingUri === null ? {} : { trackingUri }),
    model: environment.conceal(basename(encoderNameOf(config.model))),
    dataset: withoutSecrets(
      environment.conceal(
        ['auto', 'nemo', 'table'].includes(data.format) ? basename(trainFile ?? data.source ?? 'unknown') : data.format,
      ),
    ),
    sources: sourcesOf(config, (text) => withoutSecrets(environment.conceal(text))),
    ...route,
    notes: withoutSecrets(
      environment.conceal([
        ...notes,
        ...resolved,
        ...experiment.warnings,
        ...(trackingUri !== null && withholdsCredentials(trackingUri, o.ownServer)
          ? [withoutCredentials(trackingUri)]
          : []),
        ...(route.home !== undefined && config.nautil.group.members !== null
          ? ['nautil.group.members has no effect: the workers of Temporal report their own addresses']
          : []),
        ...(o.logsInFolder || isPlan ? [] : [`logs and the best checkpoints are in ${experiment.logDir}`]),
        ...route.notes,
      ]),
    ),
    heartbeatTimeoutMs: heartbeatTimeoutMs(),
    ...(group && { group }),
    ...(request.parentMlflowRunId === undefined ? {} : { parentMlflowRunId: request.parentMlflowRunId }),
  };
  await writeFileAtomic(file, JSON.stringify(environment.conceal(run), null, 2));
  return run;
}

/** A log folder for the entries of the stages, which no user reads. */
async function emptyExperiment(
  logDir: string,
): Promise<Pick<Awaited<ReturnType<typeof beginExperiment>>, 'logDir' | 'resumeFrom' | 'warnings'>> {
  await createFolder(logDir);
  return { logDir, warnings: [] };
}

/** The group of processes that trains a run; undefined for one process. */
function groupOf({ trainer, nautil }: Config): RunGroup | undefined {
  const { join_timeout_s: joinTimeoutS, step_timeout_s: stepTimeoutS } = nautil.group;
  return trainer.num_nodes === 1 ? undefined : { size: trainer.num_nodes, joinTimeoutS, stepTimeoutS };
}

/**
 * Composes the configuration of a run and checks the run, without creating anything.
 *
 * @throws ConfigError, and what `checkRun` throws
 */
export async function checkRequest(
  request: Pick<RunRequest, 'config' | 'configPath' | 'overrides'>,
  { cwd }: { cwd: string },
): Promise<void> {
  const { config } = await loadRun(request, { cwd });
  await checkRun(config, { cwd });
}

/** The configuration of a run with absolute paths; `resolved` has a note for each path that was relative. */
async function loadRun(
  request: Pick<RunRequest, 'config' | 'configPath' | 'overrides'>,
  o: {
    cwd: string;
    configPath?: string | undefined;
    allowedEnv?: readonly string[] | undefined;
    runName?: string;
  },
): Promise<LoadedConfig & { resolved: string[] }> {
  const { cwd } = o;
  const loaded = await loadConfig({
    configName: request.config,
    configPath: request.configPath ?? o.configPath,
    overrides: request.overrides,
    cwd,
    allowedEnv: o.allowedEnv,
  });
  const { tree, fromEnvironment } = loaded;
  if (o.runName !== undefined) nameAfterRun(tree, o.runName);
  const values = revealTree(tree, fromEnvironment);
  const resolved: string[] = [];
  for (const key of [...pathKeys, ...nameKeys]) {
    const value = valueAt(values, key);
    if (typeof value !== 'string' || value === '' || isAbsolute(value) || /^\w+:\/\//.test(value)) continue;
    const base = key === 'nautil.data.source' && loaded.isShipped(key) ? packageRoot() : cwd;
    const path = userPath(base, value);
    if (nameKeys.includes(key) && isHubName(value) && !existsSync(path)) continue;
    const written = valueAt(tree, key);
    const shown = fromEnvironment.keys.includes(key) && typeof written === 'string' ? shownPath(base, written) : path;
    replaceAt(tree, key, shown);
    resolved.push(`${key} is ${shown}`);
  }
  return { ...loaded, config: readConfig(revealTree(tree, fromEnvironment)), resolved };
}

const archiveKey = 'model.nemo_path';

/** Replaces `{run}` in the path of the archive by the name of the run. */
function nameAfterRun(tree: JsonObject, name: string): void {
  const path = valueAt(tree, archiveKey);
  if (typeof path === 'string') replaceAt(tree, archiveKey, path.replaceAll(runPlaceholder, name));
}

/** An absolute path whose end is a text with references, which is therefore not normalised. */
function shownPath(base: string, text: string): string {
  const [folder, end] = text.startsWith('~/') ? [homedir(), text.slice(2)] : [base, text];
  return `${escapeReferences(folder)}/${end}`;
}

/** The run with its paths in the state folder as they are now, because that folder may have been moved since it was written. */
function inFolder(run: ResolvedRun, folder: string): ResolvedRun {
  if (run.folder === folder) return run;
  const [before, now] = [run.folder, folder].map((path) => dirname(dirname(path))) as [string, string];
  const moved = (path: string): string => (path.startsWith(`${before}/`) ? join(now, path.slice(before.length)) : path);
  return {
    ...run,
    folder,
    logDir: moved(run.logDir),
    ...(run.resumeFrom === undefined ? {} : { resumeFrom: moved(run.resumeFrom) }),
    config: { ...run.config, path: moved(run.config.path) },
  };
}

/** How long a worker may send no heartbeat before its activity is retried. Activities send one every two seconds. */
function heartbeatTimeoutMs(): number {
  const given = process.env['NAUTIL_HEARTBEAT_TIMEOUT_MS'] ?? '60000';
  if (/^\d{4,8}$/.test(given) && Number(given) >= 5000) return Number(given);
  throw new EnvironmentInvalid(`NAUTIL_HEARTBEAT_TIMEOUT_MS is ${JSON.stringify(given)} for this worker`, {
    hint: 'set it to a whole number of milliseconds, at least 5000, or unset it for 60000; then restart the worker',
  });
}

const commandOf = ({ workflowId, config, overrides = [] }: RunRequest): string[] => [
  ...['nautil', 'run', '--workflow-id', workflowId],
  ...(config === undefined ? [] : ['--config-name', config]),
  ...overrides,
];

/** Stored with the run, so that a repeated training stays the run's own, also after a later stage has failed. */
function withRedo(run: ResolvedRun, { from, token }: Redo): ResolvedRun {
  const redone = stageNames.slice(stageNames.indexOf(from)).map((stage): [Stage, string] => [stage, token]);
  return { ...run, redone: { ...run.redone, ...Object.fromEntries(redone) } };
}

const withoutCredentials = (trackingUri: string): string =>
  `the run is tracked at ${maskSecrets(trackingUri)} without the MLflow credentials of this worker, which it sends only to the server that its own MLFLOW_TRACKING_URI names`;

/** Name of the MLflow experiment that a run is part of. */
export const experimentOf = ({ nautil, exp_manager }: Config): string =>
  nautil.mlflow.experiment ?? exp_manager.mlflow_logger_kwargs.experiment_name ?? experimentName(exp_manager);

/** Address of the MLflow server that the configuration names: Nautil's key first, then NeMo's. */
const trackingUriOf = ({ nautil, exp_manager }: Config): string | null =>
  nautil.mlflow.tracking_uri ?? exp_manager.mlflow_logger_kwargs.tracking_uri;

/** Where the sets of a run come from. A set without a file of its own comes from the source of the training data. */
function sourcesOf({ model, nautil }: Config, conceal: (text: string) => string): NonNullable<ResolvedRun['sources']> {
  const places = {
    train: model.train_ds.file_path ?? nautil.data.source,
    validation: model.validation_ds.file_path,
    test: model.test_ds.file_path,
  };
  const named = Object.entries(places).filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries(named.map(([set, place]) => [set, conceal(place)]));
}
