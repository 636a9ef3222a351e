import { SingleBar } from 'cli-progress';
import pc from 'picocolors';

/** Where a training is, as the display shows it. */
export interface TrainingPlace {
  step: number;
  totalSteps: number;

  /** Zero-based. */
  epoch: number;
  loss: number;
  examplesPerSecond: number;
  secondsLeft: number;
}

/** Seconds between two plain lines: a log file should not hold a line a step. */
const secondsBetweenLines = 10;

/**
 * Shows a training that runs: a bar with step, loss, speed and time left on a terminal, now and then a plain line
 * elsewhere. Other lines are printed above the bar.
 */
export class TrainingDisplay {
  readonly #stream: NodeJS.WritableStream & { isTTY?: boolean };
  #bar: SingleBar | undefined;
  #lastLineAt = -Infinity;

  /** @param stream - standard error by default: standard output belongs to results. */
  constructor(stream: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr) {
    this.#stream = stream;
  }

  /** Shows where training is. */
  show(place: TrainingPlace): void {
    if (this.#stream.isTTY) this.#draw(place);
    else this.#writeNowAndThen(place);
  }

  /** Prints a line of its own. */
  line(text: string): void {
    this.#removeBar();
    this.#stream.write(`${text}\n`);
  }

  /** Prints a warning. */
  warn(text: string): void {
    this.line(`${this.#stream.isTTY ? pc.yellow('warning') : 'warning'}: ${text}`);
  }

  /** Ends the bar; the display can be used again. */
  close(): void {
    this.#removeBar();
    this.#lastLineAt = -Infinity;
  }

  #draw(place: TrainingPlace): void {
    const payload = {
      loss: place.loss.toFixed(4),
      epoch: place.epoch + 1,
      speed: place.examplesPerSecond.toFixed(0),
      left: formatDuration(place.secondsLeft),
    };
    if (this.#bar === undefined) {
      this.#bar = new SingleBar({
        stream: this.#stream,
        format: 'epoch {epoch} {bar} step {value}/{total}  loss {loss}  {speed} examples/s  {left} left',
        barCompleteChar: '━',
        barIncompleteChar: '─',
        barsize: 24,
        hideCursor: true,
        clearOnComplete: true,
        gracefulExit: false,
      });
      this.#bar.start(place.totalSteps, place.step, payload);
    } else {
      this.#bar.update(place.step, payload);
    }
  }

  #writeNowAndThen(place: TrainingPlace): void {
    const now = performance.now() / 1000;
    const ended = place.step >= place.totalSteps;
    if (now - this.#lastLineAt < secondsBetweenLines && !ended) return;
    this.#lastLineAt = now;
    this.#stream.write(
      `epoch ${place.epoch + 1}  step ${place.step}/${place.totalSteps}  loss ${place.loss.toFixed(4)}  ` +
        `${place.examplesPerSecond.toFixed(0)} examples/s  ${formatDuration(place.secondsLeft)} left\n`,
    );
  }

  #removeBar(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** `8 s`, `3 min 20 s`, `2 h 05 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
