import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Config, experimentName } from '@nautil/config';
import {
  type CheckpointSaved,
  type EpochEvaluated,
  type JsonObject,
  maskSecrets,
  type TrainEvent,
  type TrainingResult,
  withoutSecrets,
} from '@nautil/contracts';
import { stringifyNemoYaml, withTarget } from '@nautil/formats/nemo';
import { monitored } from '@nautil/metrics';
import { writeFileAtomic } from '@nautil/store';
import { EventFile } from './event-file.js';
import { ExperimentLog } from './experiment-log.js';
import { KeptCheckpoints, type WriteCheckpoint } from './kept-checkpoints.js';
import { formatNemoReport } from './nemo-report.js';
import { recordTraining } from './record-training.js';
import { logDevice } from './start-of-run-log.js';

export interface ExperimentOptions {
  /** From `createLogDir`. */
  folder: string;
  manager: Config['exp_manager'];

  /** Environment variables whose values the log shows as references. */
  hidden?: readonly string[] | undefined;

  /** Receives every entry of the log. */
  echo?: ((entry: string) => void) | undefined;
}

const rule = '='.repeat(91);

/**
 * Writes the files that NeMo's exp_manager writes for a run: command line, configuration, logs, the TensorBoard file, and
 * checkpoints under NeMo's names. The run's own state is elsewhere, so that losing this folder loses no step.
 *
 * @example
 * const { folder } = await createLogDir({ manager: config.exp_manager, cwd });
 * const experiment = await ExperimentFolder.open({ folder, manager: config.exp_manager });
 * await experiment.begin({ command: process.argv.slice(1), model: tree.model, cwd });
 * const write = (path: string) => link(latestCheckpoint, path);
 * await trainClassifier(job, {
 *   onProgress: (event) => experiment.onProgress(event, write),
 *   onCommitted: (checkpoint) => experiment.onCommitted(checkpoint, write),
 * });
 * await experiment.close();
 */
export class ExperimentFolder {
  readonly path: string;
  readonly log: ExperimentLog;
  readonly #manager: Config['exp_manager'];
  readonly #events: EventFile | undefined;
  readonly #kept: KeptCheckpoints | undefined;
  #length = { stepsPerEpoch: 1, epochs: 0 };

  private constructor(o: ExperimentOptions, events: EventFile | undefined, kept: KeptCheckpoints | undefined) {
    this.path = o.folder;
    this.log = new ExperimentLog(o.folder, o.echo, o.hidden);
    this.#manager = o.manager;
    this.#events = events;
    this.#kept = kept;
  }

  /** Opens the folder of a run that starts or resumes. */
  static async open(o: ExperimentOptions): Promise<ExperimentFolder> {
    const { manager } = o;
    const { monitor, mode, save_top_k, save_last, every_n_epochs } = manager.checkpoint_callback_params;
    const kept = manager.create_checkpoint_callback
      ? await KeptCheckpoints.open({
          folder: join(o.folder, 'checkpoints'),
          name: experimentName(manager),
          monitor,
          mode,
          saveTopK: save_top_k,
          saveLast: save_last ?? false,
          everyNEpochs: every_n_epochs ?? 1,
        })
      : undefined;
    return new ExperimentFolder(
      o,
      manager.create_tensorboard_logger ? await EventFile.open(o.folder) : undefined,
      kept,
    );
  }

  /** Path of the archive at the end of training; undefined when `save_nemo_on_train_end` is off. */
  get nemoPath(): string | undefined {
    const { create_checkpoint_callback, checkpoint_callback_params } = this.#manager;
    const { save_nemo_on_train_end, postfix } = checkpoint_callback_params;
    if (!create_checkpoint_callback || !save_nemo_on_train_end) return undefined;
    return join(this.path, 'checkpoints', `${experimentName(this.#manager)}${postfix}`);
  }

  /**
   * Writes `cmd-args.log`, `hparams.yaml` and, in a git checkout, `git-info.log`.
   *
   * @param o.command - the command line, program first
   * @param o.model - the `model` section of the resolved configuration
   * @param o.nautil - settings that NeMo has no key for, but that opening a checkpoint needs: the tokenizer's mode
   * @param o.cwd - the git checkout whose commit and changes are recorded
   */
  async begin(o: { command: readonly string[]; model: JsonObject; nautil?: JsonObject; cwd: string }): Promise<void> {
    this.log.begin();
    await writeFileAtomic(join(this.path, 'cmd-args.log'), maskSecrets(o.command.join(' ')));
    await this.writeHparams(o);
    const git = await gitInfo(o.cwd);
    if (git !== undefined) await writeFileAtomic(join(this.path, 'git-info.log'), git);
  }

  /** Writes `hparams.yaml`, with the sections that `begin` describes. */
  async writeHparams({ model, nautil }: { model: JsonObject; nautil?: JsonObject }): Promise<void> {
    const hparams = { cfg: withTarget(withoutSecrets(model)), ...(nautil ? { nautil } : {}) };
    await writeFileAtomic(join(this.path, 'hparams.yaml'), stringifyNemoYaml(hparams));
  }

  /**
   * Logs a live event. Steps and evaluations are logged by `onCommitted`, once they are durable.
   *
   * @param write - writes the newest checkpoint's content to a path
   */
  async onProgress(event: TrainEvent, write: WriteCheckpoint): Promise<void> {
    switch (event.type) {
      case 'start':
        this.#length = event;
        logDevice(this.log, event);
        this.log.info('text_classification_with_bert', rule);
        this.log.info('text_classification_with_bert', 'Starting training...');
        break;
      case 'warning':
        this.log.recordWarning('training', event.message);
        break;
      case 'done':
        await this.#done(event, write);
        break;
      case 'step':
      case 'eval':
        break;
    }
  }

  /** Logs the events of a checkpoint, and keeps the checkpoint if it belongs to an evaluation. @param write - as above */
  async onCommitted({ step, events }: CheckpointSaved, write: WriteCheckpoint): Promise<void> {
    for (const event of events) {
      if (event.type === 'eval') this.report(event);
      else if (this.#events) recordTraining(this.#events, event);
    }
    await this.#events?.sync(); // The next checkpoint no longer contains these events.
    const evaluated = events.findLast((event) => event.type === 'eval');
    if (evaluated?.step !== step || !this.#kept) return;
    const value = monitored(this.#manager.checkpoint_callback_params.monitor, evaluated) ?? NaN;
    const message = await this.#kept.save({ step, epoch: evaluated.epoch, value }, write);
    if (message !== undefined) this.log.lightning(message);
  }

  /** Logs the report of an evaluation, and writes it to the TensorBoard file. */
  report(event: EpochEvaluated): void {
    if (this.#events) recordTraining(this.#events, event);
    const report = formatNemoReport(event.report);
    this.log.info('text_classification_model', `${event.split}_report: ${report}`);
  }

  /** Closes the TensorBoard file. */
  async close(): Promise<void> {
    await this.#events?.close();
  }

  async #done({ step, reason }: TrainingResult, write: WriteCheckpoint): Promise<void> {
    const { stepsPerEpoch, epochs } = this.#length;
    await this.#kept?.end({ step, epochsDone: Math.floor(step / stepsPerEpoch) }, write);
    const limit = step === epochs * stepsPerEpoch ? `max_epochs=${epochs}` : `max_steps=${step}`;
    const why = {
      completed: `\`Trainer.fit\` stopped: \`${limit}\` reached.`,
      'early-stopped': `Stopped early at global step ${step}: the monitored value got no better.`,
      stopped: `Stopped at global step ${step}, as was asked.`,
    };
    this.log.lightning(why[reason]);
    this.log.info('text_classification_with_bert', 'Training finished!');
    this.log.info('text_classification_with_bert', rule);
  }
}

/** The commit and the uncommitted changes, as NeMo records them; undefined without git or outside a checkout. */
async function gitInfo(cwd: string): Promise<string | undefined> {
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('git', args, { cwd, maxBuffer: 1 << 26 })).stdout;
  try {
    return `commit hash: ${await git('rev-parse', 'HEAD')}${await git('diff')}`;
  } catch {
    return undefined;
  }
}
