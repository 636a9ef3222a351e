/** Writes files while training goes on: one after another, in the order in which they were started. */
export class BackgroundWrites {
  #last: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;

  /** Starts a write once those before it are done. After a write that failed, nothing more is written. */
  start(o: { write: () => Promise<void>; release: () => void }): void {
    this.#last = this.#last.then(async () => {
      try {
        if (this.#failure === undefined) await o.write();
      } catch (error) {
        this.#failure = { error };
      } finally {
        o.release();
      }
    });
  }

  /** Throws the error of the write that failed, if any. */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits for all writes. @throws the error of the write that failed */
  async finish(): Promise<void> {
    await this.settle();
    this.check();
  }

  /** Waits until nothing is being written, whether or not a write failed. */
  async settle(): Promise<void> {
    await this.#last;
  }
}
