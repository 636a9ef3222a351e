import type { CheckpointSaved, TrainEvent, TrainHeartbeat } from '@nautil/contracts';
import { progressAfter, progressAfterCheckpoint } from './progress-after.js';
import { SignalThrottle } from './signal-throttle.js';

export interface ProgressReporterOptions {
  heartbeat: (progress: TrainHeartbeat | undefined) => void;

  /** Signals the workflow, for its `progress` query. */
  signal: (progress: TrainHeartbeat) => Promise<void>;
}

/** Follows the events of a training and reports its progress: often in heartbeats, rarely in signals to the workflow. */
export class ProgressReporter {
  readonly #options: ProgressReporterOptions;
  readonly #throttle = new SignalThrottle();
  #progress: TrainHeartbeat | undefined;
  #signalled: TrainHeartbeat | undefined;

  constructor(options: ProgressReporterOptions) {
    this.#options = options;
  }

  onProgress(event: TrainEvent): void {
    this.#update(progressAfter(this.#progress, event), event.type);
  }

  onCommitted(checkpoint: CheckpointSaved): void {
    this.#update(progressAfterCheckpoint(this.#progress, checkpoint), 'checkpoint');
  }

  heartbeat(): void {
    this.#options.heartbeat(this.#progress);
  }

  /** Signals the latest progress unless the workflow has it. Never rejects: a lost signal is no reason to stop training. */
  async signal(): Promise<void> {
    const progress = this.#progress;
    if (!progress || progress === this.#signalled) return;
    this.#signalled = progress;
    await this.#options.signal(progress).catch(() => undefined);
  }

  #update(progress: TrainHeartbeat | undefined, type: TrainEvent['type'] | 'checkpoint'): void {
    this.#progress = progress;
    if (progress && this.#throttle.isDue(progress, { type })) void this.signal();
  }
}
