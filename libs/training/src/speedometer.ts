/** Of how many steps the time of the steps to come is estimated. */
const rememberedSteps = 50;

/** A step that takes this many times as long as the median has most likely traced a graph for a new length. */
const outlierFactor = 3;

/** The speed of recent steps of this process, without the time spent on evaluations and checkpoints. */
export class Speedometer {
  readonly #now: () => number;
  readonly #recent: number[] = [];
  #last: number;
  #isFirst = true;

  /** @param now - a clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#last = now();
  }

  /** Restarts the clock, after work that is not part of a step. */
  restart(): void {
    this.#last = this.#now();
  }

  /**
   * Call after each step.
   *
   * @returns the rates of this step, and the mean `secondsPerStep` of recent ones: NaN after the first step, which traces the graph
   */
  after(
    examples: number,
    tokens: number,
  ): { examplesPerSecond: number; tokensPerSecond: number; secondsPerStep: number } {
    const now = this.#now();
    const seconds = Math.max(1e-6, (now - this.#last) / 1000);
    this.#last = now;
    if (!this.#isFirst) this.#recent.push(seconds);
    this.#isFirst = false;
    if (this.#recent.length > rememberedSteps) this.#recent.shift();
    return {
      examplesPerSecond: examples / seconds,
      tokensPerSecond: tokens / seconds,
      secondsPerStep: meanWithoutOutliers(this.#recent),
    };
  }
}

function meanWithoutOutliers(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
  const usual = sorted.filter((value) => value <= outlierFactor * median);
  return usual.reduce((sum, value) => sum + value, 0) / usual.length;
}
