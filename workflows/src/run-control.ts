import type { SignalDefinition, UpdateDefinition } from '@temporalio/common';
import {
  ActivityFailure,
  CancellationScope,
  condition,
  isCancellation,
  log,
  patched,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type ContinuedRun,
  type ControlAnswer,
  nautilCommand,
  type Stage,
  type StageResult,
  type TrainedModel,
  type TrainingProgress,
} from '@nautil/contracts';
import { InvalidValue } from './json-parsers.js';
import { pause, resume, stopEarly, trainingProgress } from './messages.js';
import { parseTrainingProgress } from './parse-training-progress.js';
import type { RunProgress } from './run-progress.js';
import { expectedFailure } from './to-workflow-failure.js';

export interface RunControlOptions {
  progress: RunProgress;

  /** State that the previous execution handed over. */
  continued?: ContinuedRun | undefined;

  /** Continues the run in a new execution. */
  continueAsNew: (state: Pick<ContinuedRun, 'stopEarly'>) => Promise<never>;
}

/**
 * Runs stages while users pause, resume and stop the run. A pause takes effect before the next stage. It interrupts training,
 * which writes a checkpoint and frees the device; a resumed run continues from that checkpoint.
 */
export class RunControl {
  readonly #progress: RunProgress;
  readonly #continueAsNew: RunControlOptions['continueAsNew'];

  #paused = false;
  #stopEarly: boolean;

  /** The training attempt that is running. `interrupted` distinguishes a pause from a cancelled workflow. */
  #attempt: { scope: CancellationScope; interrupted: boolean } | undefined;

  constructor({ progress, continued, continueAsNew }: RunControlOptions) {
    this.#progress = progress;
    this.#continueAsNew = continueAsNew;
    this.#stopEarly = continued?.stopEarly ?? false;

    this.#onRequest(pause, { act: () => this.#pause(), refusal: () => this.#refusalToPause() });
    this.#onRequest(resume, { act: () => this.#resume(), refusal: () => this.#refusalToResume() });
    this.#onRequest(stopEarly, { act: () => this.#stop(), refusal: () => this.#refusalToStop() });
    setHandler(trainingProgress, (payload) => {
      const training = parsedOrIgnored(payload);
      if (!training) return;
      progress.updateTraining(training);
      // Within one stage, only these signals can make the history long.
      if (this.#isHistoryLong()) this.#interrupt();
    });
  }

  /** Runs one stage; while the run is paused, waits first. */
  async stage<T>(stage: Stage, work: () => Promise<StageResult<T>>): Promise<StageResult<T>> {
    await this.#waitWhilePaused(stage);
    this.#progress.begin(stage);
    log.info('stage started', { stage });
    const result = await work();
    this.#progress.end(stage, result);
    log.info('stage completed', { stage, reused: result.reused, detail: result.detail, notes: result.notes });
    return result;
  }

  /** Repeats training, which pauses and the end of an execution interrupt, until it completes or `stopEarly` ends it. */
  async trainToEnd(
    train: (stopEarly: boolean) => Promise<StageResult<TrainedModel>>,
  ): Promise<StageResult<TrainedModel>> {
    for (;;) {
      const stepBefore = this.#progress.checkpointStep;
      const attempt = { scope: new CancellationScope(), interrupted: false };
      this.#attempt = attempt;
      try {
        return await attempt.scope.run(() => train(this.#stopEarly));
      } catch (error) {
        const wasInterrupted = attempt.interrupted && isCancellation(error);
        if (!wasInterrupted && !this.#hasAdvanced(stepBefore, error)) throw error;
      } finally {
        this.#attempt = undefined;
      }
      await this.#waitWhilePaused('train');
      if (this.#isHistoryLong()) await this.#continueAsNew({ stopEarly: this.#stopEarly });
    }
  }

  /** An update returns an answer or is rejected; a signal that makes no sense leaves a note. */
  #onRequest(
    { update, signal }: { update: UpdateDefinition<ControlAnswer>; signal: SignalDefinition },
    { act, refusal }: { act: () => string; refusal: () => string | undefined },
  ): void {
    const { name } = signal;
    const perform = (): string => {
      const message = act();
      log.info(`${name}: ${message}`);
      return message;
    };
    const validator = (): void => {
      const message = refusal();
      if (message !== undefined) throw expectedFailure({ message: `${name}: ${message}`, type: 'RequestRefused' });
    };
    setHandler(update, () => ({ message: perform(), paused: this.#paused }), { validator });
    setHandler(signal, () => {
      const message = refusal();
      if (message === undefined) perform();
      else this.#progress.note(`${name} had no effect: ${message}`);
    });
  }

  #pause(): string {
    this.#setPaused(true);
    this.#interrupt();
    return this.#attempt
      ? 'training writes a checkpoint and pauses'
      : `the run pauses after ${this.#progress.current ?? 'its configuration is resolved'}`;
  }

  #refusalToPause(): string | undefined {
    return this.#paused ? 'the run is already paused' : this.#refusalAfterEnd();
  }

  #resume(): string {
    this.#setPaused(false);
    return 'the run continues';
  }

  #refusalToResume(): string | undefined {
    return this.#paused ? undefined : 'the run is not paused';
  }

  #stop(): string {
    this.#stopEarly = true;
    this.#setPaused(false);
    this.#interrupt();
    return 'training ends at a checkpoint, which is evaluated and packaged';
  }

  #refusalToStop(): string | undefined {
    if (this.#progress.isRunning('train')) return undefined;
    return (
      this.#refusalAfterEnd() ??
      `training is not running; \`${nautilCommand('cancel', workflowInfo().workflowId)}\` ends the run without a model`
    );
  }

  #refusalAfterEnd(): string | undefined {
    return this.#progress.hasEnded ? 'the run has ended' : undefined;
  }

  async #waitWhilePaused(stage: Stage): Promise<void> {
    if (!this.#paused) return;
    this.#progress.pause(stage);
    log.info('paused', { stage });
    await condition(() => !this.#paused);
    this.#progress.begin(stage);
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#progress.paused = paused;
  }

  #interrupt(): void {
    if (this.#attempt === undefined) return;
    this.#attempt.interrupted = true;
    this.#attempt.scope.cancel();
  }

  #isHistoryLong(): boolean {
    return workflowInfo().continueAsNewSuggested && patched('long-histories-are-continued');
  }

  /**
   * True when the attempts are used up but training has passed a checkpoint since `stepBefore`. A training of several weeks may
   * lose its worker more often than the attempt limit allows; only repeated failures without progress end the run.
   */
  #hasAdvanced(stepBefore: number, error: unknown): boolean {
    if (!(error instanceof ActivityFailure && error.retryState === 'MAXIMUM_ATTEMPTS_REACHED')) return false;
    const step = this.#progress.checkpointStep;
    if (step <= stepBefore || !patched('attempts-count-from-the-last-checkpoint')) return false;
    const note = `training failed many times but advanced from step ${stepBefore} to ${step}, so it is retried (last failure: ${error.cause?.message ?? error.message})`;
    this.#progress.note(note);
    log.warn(note);
    return true;
  }
}

/**
 * The payload of a `training` signal; undefined if it is not valid. NOTE: an error in a signal's handler would fail the workflow
 * task, which Temporal repeats forever.
 */
function parsedOrIgnored(payload: unknown): TrainingProgress | undefined {
  try {
    return parseTrainingProgress(payload, 'its payload');
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    log.warn(`a signal ${trainingProgress.name} is ignored: ${error.message}`);
    return undefined;
  }
}
