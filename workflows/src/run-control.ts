import {
  pauseSignal,
  resumeSignal,
  stopEarlySignal,
  trainingSignal,
  type Made,
  type Stage,
  type TrainedModel,
  type TrainingProgress,
} from '@nautil/contracts';
import { CancellationScope, condition, defineSignal, isCancellation, setHandler } from '@temporalio/workflow';
import type { RunProgress } from './run-progress.js';

/**
 * Runs stages while people pause, resume and stop the run. A pause takes effect before the next stage, and inside training
 * by interrupting it: a checkpoint is written, the device is free, and resuming goes on from there.
 */
export class RunControl {
  readonly #progress: RunProgress;

  #paused = false;
  #stopEarly = false;

  /** The training that runs now. */
  #attempt: CancellationScope | undefined;

  /** True between our interrupting an attempt and that attempt's end: tells a pause from a cancelled workflow. */
  #interrupted = false;

  constructor(progress: RunProgress) {
    this.#progress = progress;
    setHandler(defineSignal(pauseSignal), () => {
      this.#setPaused(true);
      this.#interrupt();
    });
    setHandler(defineSignal(resumeSignal), () => this.#setPaused(false));
    setHandler(defineSignal(stopEarlySignal), () => {
      if (progress.current !== 'train')
        return void progress.notes.push('stopEarly came outside of training and did nothing');
      this.#stopEarly = true;
      this.#setPaused(false);
      this.#interrupt();
    });
    setHandler(defineSignal<[TrainingProgress]>(trainingSignal), (training) => progress.training(training));
  }

  /** Runs one stage, after a pause has ended. */
  async stage<T>(stage: Stage, make: () => Promise<Made<T>>): Promise<Made<T>> {
    await this.#unpaused(stage);
    this.#progress.begin(stage);
    const made = await make();
    this.#progress.end(stage, made);
    return made;
  }

  /** Runs training until it has ended by itself or by `stopEarly`, however often it is paused. */
  async training(attempt: (stopEarly: boolean) => Promise<Made<TrainedModel>>): Promise<Made<TrainedModel>> {
    return this.stage('train', async () => {
      for (;;) {
        this.#attempt = new CancellationScope();
        this.#interrupted = false;
        try {
          return await this.#attempt.run(() => attempt(this.#stopEarly));
        } catch (error) {
          if (!this.#interrupted || !isCancellation(error)) throw error;
        } finally {
          this.#attempt = undefined;
        }
        await this.#unpaused('train');
      }
    });
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
}
