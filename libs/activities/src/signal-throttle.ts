import type { TrainEvent, TrainHeartbeat } from '@nautil/contracts';

/** Approximate number of signals in a run of any length. Each signal costs four events of history. */
const signalsPerRun = 100;

/** Limits of the interval between signals, which grows with the elapsed time. Heartbeats, which cost no history, are more frequent. */
const intervalSeconds = { shortest: 2, longest: 10, fractionOfElapsed: 1 / 5 };

/**
 * Decides which progress is signalled to the workflow: every hundredth of the run, and evaluations after half of that, but not
 * more often than every two seconds at first and every ten seconds later. Warnings are signalled at once.
 */
export class SignalThrottle {
  readonly #now: () => number;
  #step = -Infinity;
  #signalledAt = -Infinity;
  #startedAt: number | undefined;

  /** @param now - seconds */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
  }

  isDue(
    { step, totalSteps }: Pick<TrainHeartbeat, 'step' | 'totalSteps'>,
    { type }: { type: TrainEvent['type'] | 'checkpoint' },
  ): boolean {
    if (type === 'warning') return true;
    const now = this.#now();
    this.#startedAt ??= now;
    const { shortest, longest, fractionOfElapsed } = intervalSeconds;
    const interval = Math.min(longest, Math.max(shortest, (now - this.#startedAt) * fractionOfElapsed));
    // NOTE: evaluations are limited, too, because a run may have thousands of them.
    const steps = totalSteps / signalsPerRun / (type === 'eval' ? 2 : 1);
    if (step - this.#step < steps || now - this.#signalledAt < interval) return false;
    this.#step = step;
    this.#signalledAt = now;
    return true;
  }
}
