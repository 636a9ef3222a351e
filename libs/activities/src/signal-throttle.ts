import type { TrainEvent, TrainHeartbeat } from '@nautil/contracts';

/** The workflow hears about so many times of a run, however long it is: each time costs four events of history. */
const signalsPerRun = 100;

/** Between two times, at first and later on. Who follows a run more closely reads the heartbeats, which cost none. */
const seconds = { least: 2, most: 10, ofElapsed: 1 / 5 };

/**
 * When the workflow should hear of progress: a hundredth of the run further, or half of that with an evaluation, but not
 * more often than every two seconds at first and every ten seconds later; and of a warning at once.
 */
export class SignalThrottle {
  readonly #now: () => number;
  #step = -Infinity;
  #at = -Infinity;
  #begun: number | undefined;

  /** @param now - seconds */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
  }

  isDue(
    { step, totalSteps }: Pick<TrainHeartbeat, 'step' | 'totalSteps'>,
    { type }: Pick<TrainEvent, 'type'>,
  ): boolean {
    if (type === 'warning') return true;
    const now = this.#now();
    this.#begun ??= now;
    const between = Math.min(seconds.most, Math.max(seconds.least, (now - this.#begun) * seconds.ofElapsed));
    // NOTE: a run may have thousands of evaluations: each of them would be a history of its own length.
    const far = totalSteps / signalsPerRun / (type === 'eval' ? 2 : 1);
    if (step - this.#step < far || now - this.#at < between) return false;
    this.#step = step;
    this.#at = now;
    return true;
  }
}
