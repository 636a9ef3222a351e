import { printMessage } from '../output.js';

/** Time between two reports: a terminal's line is replaced, and a log grows. */
const terminalMs = 500;
const logMs = 30_000;

const erased = '\r\u001b[2K';

/** Reports on standard error how many texts are classified. */
export class ProgressLine {
  readonly #startedAt = performance.now();
  #reportedAt = performance.now();
  #texts = 0;
  #isShown = false;

  /** A terminal that shows the results as they come needs no report. */
  readonly #isTerminal = process.stderr.isTTY && !process.stdout.isTTY;

  /** Number of texts that this process has classified. */
  add(texts: number): void {
    this.#texts += texts;
    const now = performance.now();
    if (process.stdout.isTTY && process.stderr.isTTY) return;
    if (now - this.#reportedAt < (this.#isTerminal ? terminalMs : logMs)) return;
    this.#reportedAt = now;
    if (this.#isTerminal) process.stderr.write(`${erased}${this.#sentence(now)}`);
    else printMessage(this.#sentence(now));
    this.#isShown = true;
  }

  /** Ends the line, and reports the whole time of an input that took some. */
  end(): void {
    const now = performance.now();
    if (this.#isShown && this.#isTerminal) process.stderr.write(erased);
    if (this.#isShown) printMessage(this.#sentence(now));
  }

  #sentence(now: number): string {
    const seconds = (now - this.#startedAt) / 1000;
    return `${this.#texts.toLocaleString('en')} texts in ${seconds.toFixed(0)} s, ${Math.round(this.#texts / seconds).toLocaleString('en')} per second`;
  }
}
