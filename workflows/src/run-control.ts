import {
  pauseSignal,
  resumeSignal,
  stopEarlySignal,
  trainingSignal,
  type ContinuedRun,
  type ControlAnswer,
  type Made,
  type Stage,
  type TrainedModel,
  type TrainingProgress,
} from '@nautil/contracts';
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineSignal,
  defineUpdate,
  isCancellation,
  patched,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RunProgress } from './run-progress.js';

export interface RunControlOptions {
  progress: RunProgress;

  /** How the execution before this one was left. */
  continued?: ContinuedRun | undefined;

  /** Goes on with the run in a new execution. */
  continueAnew(left: Pick<ContinuedRun, 'stopEarly'>): Promise<never>;
}

/**
 * Runs stages while people pause, resume and stop the run. A pause takes effect before the next stage, and inside training
 * by interrupting it: a checkpoint is written, the device is free, and resuming goes on from there.
 */
export class RunControl {
  readonly #progress: RunProgress;
  readonly #continueAnew: RunControlOptions['continueAnew'];

  #paused = false;
  #stopEarly: boolean;

  /** The training that runs now. */
  #attempt: CancellationScope | undefined;

  /** True between our interrupting an attempt and that attempt's end: tells a pause from a cancelled workflow. */
  #interrupted = false;

  constructor({ progress, continued, continueAnew }: RunControlOptions) {
    this.#progress = progress;
    this.#continueAnew = continueAnew;
    this.#stopEarly = continued?.stopEarly ?? false;

    this.#onRequest(pauseSignal, { act: () => this.#pause(), refusal: () => this.#refusalToPause() });
    this.#onRequest(resumeSignal, { act: () => this.#resume(), refusal: () => this.#refusalToResume() });
    this.#onRequest(stopEarlySignal, { act: () => this.#stop(), refusal: () => this.#refusalToStop() });
    setHandler(defineSignal<[TrainingProgress]>(trainingSignal), (training) => {
      progress.training(training);
      // Nothing but these signals makes a long history while one stage runs.
      if (this.#isHistoryLong()) this.#interrupt();
    });
  }

  /** Runs one stage, after a pause has ended. */
  async stage<T>(stage: Stage, make: () => Promise<Made<T>>): Promise<Made<T>> {
    await this.#unpaused(stage);
    this.#progress.begin(stage);
    const made = await make();
    this.#progress.end(stage, made);
    return made;
  }

  /** Runs training until it has ended by itself or by `stopEarly`, however often it is interrupted. */
  async training(attempt: (stopEarly: boolean) => Promise<Made<TrainedModel>>): Promise<Made<TrainedModel>> {
    return this.stage('train', async () => {
      for (;;) {
        const before = this.#progress.checkpointStep;
        this.#attempt = new CancellationScope();
        this.#interrupted = false;
        try {
          return await this.#attempt.run(() => attempt(this.#stopEarly));
        } catch (error) {
          if (!(this.#interrupted && isCancellation(error)) && !this.#wasGettingOn(before, error)) throw error;
        } finally {
          this.#attempt = undefined;
        }
        await this.#unpaused('train');
        if (this.#isHistoryLong()) await this.#continueAnew({ stopEarly: this.#stopEarly });
      }
    });
  }

  /** A request comes as an update, which is answered or refused, or as a signal, whose refusal is noted. */
  #onRequest(name: string, { act, refusal }: { act: () => string; refusal: () => string | undefined }): void {
    const validator = (): void => {
      const message = refusal();
      if (message !== undefined) throw ApplicationFailure.nonRetryable(`${name}: ${message}`, 'RequestRefused');
    };
    setHandler(defineUpdate<ControlAnswer>(name), () => ({ message: act(), paused: this.#paused }), { validator });
    setHandler(defineSignal(name), () => {
      const message = refusal();
      if (message === undefined) act();
      else this.#progress.notes.push(`${name} did nothing: ${message}`);
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
    return this.#paused ? 'the run is paused already' : this.#refusalOfEnded();
  }

  #resume(): string {
    this.#setPaused(false);
    return 'the run goes on';
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
    return this.#refusalOfEnded() ?? 'training does not run; `temporal workflow cancel` ends other stages';
  }

  #refusalOfEnded(): string | undefined {
    return this.#progress.hasEnded ? 'the run has ended' : undefined;
  }

  async #unpaused(stage: Stage): Promise<void> {
    if (!this.#paused) return;
    this.#progress.pause(stage);
    await condition(() => !this.#paused);
    this.#progress.begin(stage);
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#progress.paused = paused;
  }

  #interrupt(): void {
    if (this.#attempt === undefined) return;
    this.#interrupted = true;
    this.#attempt.cancel();
  }

  #isHistoryLong(): boolean {
    return workflowInfo().continueAsNewSuggested && patched('long-histories-are-continued');
  }

  /**
   * True when all attempts are spent but came further: a training of weeks may lose its worker more often than an attempt
   * count allows, and only failing at the same place again and again is hopeless.
   */
  #wasGettingOn(before: number, error: unknown): boolean {
    if (!(error instanceof ActivityFailure && error.retryState === 'MAXIMUM_ATTEMPTS_REACHED')) return false;
    const now = this.#progress.checkpointStep;
    if (now <= before || !patched('attempts-count-from-the-last-checkpoint')) return false;
    this.#progress.notes.push(
      `training has failed many times but came from step ${before} to ${now}: it goes on (last: ${error.cause?.message ?? error.message})`,
    );
    return true;
  }
}
