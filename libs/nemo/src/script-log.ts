import { type Config, type FromEnvironment, printConfig } from '@nautil/config';
import type { EpochEvaluated, JsonObject, ResolvedRun, SampleAnswer } from '@nautil/contracts';
import { createLogDir } from './create-log-dir.js';
import { ExperimentFolder } from './experiment-folder.js';
import { ExperimentLog } from './experiment-log.js';
import { logSplit, logStartOfRun, type TokenizedSplit } from './start-of-run-log.js';

// What NeMo's training script and its exp_manager write about a run. Each stage adds its part to the run's log folder.

type LoggedRun = Pick<ResolvedRun, 'logDir' | 'fromEnvironment'>;

/** Receives every entry of the log. */
export type Echo = (entry: string) => void;

const script = 'text_classification_with_bert';
const rule = '='.repeat(91);

/**
 * Creates the log folder, and writes the command line and the configuration into it. A configuration that leaves the number of
 * classes open is logged by `logCountedConfig`, once it is counted.
 */
export async function beginExperiment(o: {
  tree: JsonObject;
  config: Config;
  fromEnvironment?: FromEnvironment;
  cwd: string;

  /** The command line, program first. */
  command: readonly string[];
  echo?: Echo | undefined;
}): Promise<{ logDir: string; resumeFrom?: string; warnings: string[] }> {
  const { config, tree, fromEnvironment } = o;
  const hidden = fromEnvironment?.names;
  const { folder, resumeFrom, warnings } = await createLogDir({ manager: config.exp_manager, cwd: o.cwd });
  const opened = ExperimentFolder.open({ folder, manager: config.exp_manager, hidden, echo: o.echo });
  await closedAfter(await opened, async (experiment) => {
    await experiment.begin({ command: o.command, ...hparamsOf(tree, config), cwd: o.cwd });
    if (config.model.dataset.num_classes !== null)
      logStartOfRun(experiment.log, { config: printConfig(tree, fromEnvironment).trimEnd(), folder });
  });
  return { logDir: folder, warnings, ...(resumeFrom === undefined ? {} : { resumeFrom }) };
}

/** Logs the configuration of a run whose number of classes has been counted, and writes it into the log folder. */
export async function logCountedConfig(
  run: LoggedRun,
  { tree, config, echo }: { tree: JsonObject; config: Config; echo?: Echo | undefined },
): Promise<void> {
  await closedAfter(await openExperiment(run, config, echo), async (experiment) => {
    await experiment.writeHparams(hparamsOf(tree, config));
    logStartOfRun(experiment.log, { config: printConfig(tree, run.fromEnvironment).trimEnd(), folder: run.logDir });
  });
}

/** Adds to `hparams.yaml` what the evaluation of a checkpoint needs to repeat the numbers of the run. */
export async function recordEvaluationSettings(
  run: LoggedRun,
  {
    tree,
    config,
    evaluation,
    pairs = false,
  }: { tree: JsonObject; config: Config; evaluation: JsonObject; pairs?: boolean | undefined },
): Promise<void> {
  const { model, nautil } = hparamsOf(tree, config);
  await closedAfter(await openExperiment(run, config), (experiment) =>
    experiment.writeHparams({ model, nautil: { ...nautil, evaluation, ...(pairs ? { pairs } : {}) } }),
  );
}

/** Closes the folder's files after `work`, whose error is thrown if it fails: a worker would keep the files open. */
async function closedAfter(
  experiment: ExperimentFolder,
  work: (experiment: ExperimentFolder) => Promise<void>,
): Promise<void> {
  try {
    await work(experiment);
  } catch (error) {
    await experiment.close().catch(() => undefined);
    throw error;
  }
  await experiment.close();
}

const openExperiment = (run: LoggedRun, { exp_manager: manager }: Config, echo?: Echo): Promise<ExperimentFolder> =>
  ExperimentFolder.open({ folder: run.logDir, manager, hidden: run.fromEnvironment?.names, echo });

const hparamsOf = (tree: JsonObject, { nautil }: Config): { model: JsonObject; nautil: JsonObject } => ({
  model: tree['model'] as JsonObject,
  nautil: { tokenization: { mode: nautil.tokenization.mode } },
});

/** Logs that a split was read and tokenized. */
export function logRead(run: LoggedRun, split: TokenizedSplit, maxSeqLength: number, echo?: Echo): void {
  logSplit(new ExperimentLog(run.logDir, echo, run.fromEnvironment?.names), split, maxSeqLength);
}

/** Logs the results on the test set, and adds them to TensorBoard's event file. */
export async function logTest(
  { run, model }: { run: LoggedRun; model: { step: number; epoch: number } },
  config: Config,
  evaluation: Pick<EpochEvaluated, 'loss' | 'report'>,
  echo?: Echo,
): Promise<void> {
  const experiment = await openExperiment(run, config, echo);
  experiment.log.info(script, rule);
  experiment.log.info(script, 'Starting the testing of the trained model on test set...');
  const { step, epoch } = model;
  experiment.report({ type: 'eval', split: 'test', step, epoch, ...evaluation, timestampMs: Date.now() });
  experiment.log.info(script, 'Testing finished!');
  experiment.log.info(script, rule);
  await experiment.close();
}

/** Logs the predictions for `model.infer_samples`. */
export function logAnswers(run: LoggedRun, answers: readonly SampleAnswer[], echo?: Echo): void {
  const log = new ExperimentLog(run.logDir, echo, run.fromEnvironment?.names);
  log.info(script, rule);
  log.info(script, 'Starting the inference on some sample queries...');
  log.info(script, 'The prediction results of some sample queries with the trained model:');
  for (const { text, labelId } of answers) {
    log.info(script, `Query : ${text}`);
    log.info(script, `Predicted label: ${labelId}`);
  }
  log.info(script, 'Inference finished!');
  log.info(script, rule);
}

/** Logs the path of the archive. Resolves to the path at which `save_nemo_on_train_end` requires a copy, if any. */
export async function logArchive(
  run: LoggedRun,
  config: Config,
  path: string,
  echo?: Echo,
): Promise<string | undefined> {
  const experiment = await openExperiment(run, config, echo);
  experiment.log.info(script, `Model is saved into \`.nemo\` file: ${path}`);
  await experiment.close();
  return experiment.nemoPath;
}
