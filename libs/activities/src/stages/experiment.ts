import type { Config } from '@nautil/config';
import { stringifyNemoYaml } from '@nautil/formats';
import type { JsonObject, ResolvedRun, SampleAnswer } from '@nautil/contracts';
import {
  ExperimentFolder,
  ExperimentLog,
  logSplit,
  logStartOfRun,
  createLogDir,
  type TokenizedSplit,
} from '@nautil/nemo';
import type { Evaluation } from '@nautil/training';

// What NeMo's exp_manager and its script say of a run in their log. Each stage adds its part to the folder of the run.

/** Hears of every entry of the log. */
export type Echo = (entry: string) => void;

const script = 'text_classification_with_bert';
const rule = '='.repeat(91);

/** Makes the folder, with the command line and the configuration in it. */
export async function beginExperiment(o: {
  tree: JsonObject;
  config: Config;
  cwd: string;

  /** The command line, program first. */
  command: readonly string[];
  echo?: Echo | undefined;
}): Promise<{ logDir: string; resumeFrom?: string; warnings: string[] }> {
  const { config, tree } = o;
  const { folder, resumeFrom, warnings } = await createLogDir({ manager: config.exp_manager, cwd: o.cwd });
  const experiment = await ExperimentFolder.open({ folder, manager: config.exp_manager, echo: o.echo });
  const nautil = { tokenization: { mode: config.nautil.tokenization.mode } };
  await experiment.begin({ command: o.command, model: tree['model'] as JsonObject, nautil, cwd: o.cwd });
  const { accelerator } = config.trainer;
  const wantsGpu = accelerator === 'gpu' || accelerator === 'cuda';
  logStartOfRun(experiment.log, {
    config: stringifyNemoYaml(tree).trimEnd(),
    folder,
    gpuAvailable: wantsGpu,
    gpuUsed: wantsGpu,
  });
  await experiment.close();
  return { logDir: folder, warnings, ...(resumeFrom === undefined ? {} : { resumeFrom }) };
}

/** Tells of a split that was read and tokenised. */
export function logRead(run: ResolvedRun, split: TokenizedSplit, maxSeqLength: number, echo?: Echo): void {
  logSplit(new ExperimentLog(run.logDir, echo), split, maxSeqLength);
}

/** Tells of the test, and draws it into TensorBoard's file. */
export async function logTest(
  { run, model }: { run: ResolvedRun; model: { step: number; epoch: number } },
  { exp_manager }: Config,
  evaluation: Evaluation,
  echo?: Echo,
): Promise<void> {
  const experiment = await ExperimentFolder.open({ folder: run.logDir, manager: exp_manager, echo });
  experiment.log.info(script, rule);
  experiment.log.info(script, 'Starting the testing of the trained model on test set...');
  const { step, epoch } = model;
  await experiment.hear(
    { type: 'eval', split: 'test', step, epoch, ...evaluation, timestampMs: Date.now() },
    async () => {},
  );
  experiment.log.info(script, 'Testing finished!');
  experiment.log.info(script, rule);
  await experiment.close();
}

/** Tells what the model makes of `model.infer_samples`. */
export function logAnswers(run: ResolvedRun, answers: readonly SampleAnswer[], echo?: Echo): void {
  const log = new ExperimentLog(run.logDir, echo);
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

/** Tells where the archive is; resolves to where `save_nemo_on_train_end` wants another one, among the checkpoints. */
export async function logArchive(
  run: ResolvedRun,
  { exp_manager }: Config,
  path: string,
  echo?: Echo,
): Promise<string | undefined> {
  const experiment = await ExperimentFolder.open({ folder: run.logDir, manager: exp_manager, echo });
  experiment.log.info(script, `Model is saved into \`.nemo\` file: ${path}`);
  await experiment.close();
  return experiment.nemoPath;
}
