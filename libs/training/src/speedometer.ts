/** The speed of recent steps, without the time spent on evaluations and checkpoints. */
export class Speedometer {
  #last = performance.now();
  #secondsPerStep: number | undefined;

  /** Restarts the clock, after work that is not part of a step. */
  restart(): void {
    this.#last = performance.now();
  }

  /**
   * Call after each step.
   *
   * @returns `secondsPerStep` smoothed over about twenty steps, and the rates of this step
   */
  after(
    examples: number,
    tokens: number,
  ): { examplesPerSecond: number; tokensPerSecond: number; secondsPerStep: number } {
    const now = performance.now();
    const seconds = Math.max(1e-6, (now - this.#last) / 1000);
    this.#last = now;
    this.#secondsPerStep = this.#secondsPerStep === undefined ? seconds : 0.95 * this.#secondsPerStep + 0.05 * seconds;
    return {
      examplesPerSecond: examples / seconds,
      tokensPerSecond: tokens / seconds,
      secondsPerStep: this.#secondsPerStep,
    };
  }
}
