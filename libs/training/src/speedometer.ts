/** Speed of the last steps; pauses for evaluation and checkpoints don't count. */
export class Speedometer {
  #last = performance.now();
  #secondsPerStep: number | undefined;

  /** Begins a step anew, after something that is not one. */
  restart(): void {
    this.#last = performance.now();
  }

  /**
   * One more step is done.
   *
   * @returns `secondsPerStep` smoothed over about twenty steps, the rates of this step alone.
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
