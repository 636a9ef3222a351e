import { SingleBar } from 'cli-progress';
import pc from 'picocolors';
import { printable, type TrainingProgress } from '@nautil/contracts';
import { asTyped } from '../output.js';

/** Seconds between two plain lines, so that a log file does not get one line per step. */
const secondsBetweenLines = 10;

/**
 * Shows the progress of a training: on a terminal a bar with step, loss, speed and time left; elsewhere a plain line every ten
 * seconds. Other lines are printed above the bar. Writes to standard error, because standard output belongs to results.
 */
export class TrainingDisplay {
  readonly #stream: NodeJS.WritableStream & { isTTY?: boolean };
  #bar: SingleBar | undefined;
  #lastLineAt = -Infinity;
  #lastStep: number | undefined;

  constructor(stream: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr) {
    this.#stream = stream;
  }

  /** Shows the current progress. */
  show(progress: TrainingProgress): void {
    if (this.#stream.isTTY) this.#draw(progress);
    else this.#writeSometimes(progress);
  }

  /** Prints a separate line. */
  line(text: string): void {
    this.#print(text);
  }

  /** Prints a warning. */
  warn(text: string): void {
    this.#print(text, `${this.#stream.isTTY ? pc.yellow('warning') : 'warning'}: `);
  }

  /** Removes the bar; the display can be used again. */
  close(): void {
    this.#removeBar();
    this.#lastLineAt = -Infinity;
    this.#lastStep = undefined;
  }

  #draw(progress: TrainingProgress): void {
    const payload = { epoch: progress.epoch + 1, figures: figuresOf(progress).join('  ') };
    if (this.#bar === undefined) {
      this.#bar = new SingleBar({
        stream: this.#stream,
        format: 'epoch {epoch} {bar} step {value}/{total}  {figures}',
        barCompleteChar: '━',
        barIncompleteChar: '─',
        barsize: 24,
        hideCursor: true,
        clearOnComplete: true,
        gracefulExit: false,
      });
      this.#bar.start(progress.totalSteps, progress.step, payload);
    } else {
      this.#bar.update(progress.step, payload);
    }
  }

  #writeSometimes(progress: TrainingProgress): void {
    const now = performance.now() / 1000;
    const isLast = progress.step >= progress.totalSteps;
    if (progress.step === this.#lastStep || (now - this.#lastLineAt < secondsBetweenLines && !isLast)) return;
    this.#lastLineAt = now;
    this.#lastStep = progress.step;
    const place = [`epoch ${progress.epoch + 1}`, `step ${progress.step}/${progress.totalSteps}`];
    this.#stream.write(`${[...place, ...figuresOf(progress)].join('  ')}\n`);
  }

  /** @param lead - printed as it is, because it is this program's own */
  #print(text: string, lead = ''): void {
    this.#removeBar();
    this.#stream.write(`${lead}${asTyped(printable(text))}\n`);
  }

  #removeBar(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** The loss, the speed and the time left, as far as they are known. NaN, which JSON cannot hold, arrives as null. */
function figuresOf({ loss, examplesPerSecond, secondsLeft }: TrainingProgress): string[] {
  return [
    ...(Number.isFinite(loss) ? [`loss ${loss.toFixed(4)}`] : []),
    ...(Number.isFinite(examplesPerSecond) ? [`${examplesPerSecond.toFixed(0)} examples/s`] : []),
    ...(Number.isFinite(secondsLeft) ? [`${formatDuration(secondsLeft)} left`] : []),
  ];
}

/** `8 s`, `3 min 20 s`, `2 h 05 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
