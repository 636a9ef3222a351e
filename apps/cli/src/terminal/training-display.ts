import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import { printable, type Stage, stageNames, type StageState, type TrainingProgress } from '@nautil/contracts';
import { asTyped } from '../output.js';
import { fitReport } from './fit-report.js';
import { figuresOf, formatStage, formatTraining, formatTrainingStage, type ShownStage } from './format-progress.js';
import { type Screen, terminalHeight, terminalWidth } from './terminal-width.js';
import { wrapText } from './wrap-text.js';

/** Seconds between two plain lines, so that a log file does not get one line per step. */
const secondsBetweenLines = 10;

/** The shortest time between two drawings of the same stage. */
const redrawMs = 100;

/**
 * Shows the stages of a run and the progress of its training. On a terminal, the stages that have not ended are a list that is drawn
 * again in place, below the lines of those that have ended. Elsewhere, each change of a stage is a plain line, and training one
 * every ten seconds. Writes to standard error, because standard output belongs to results.
 */
export class TrainingDisplay {
  readonly #stream: Screen;
  readonly #list: ReturnType<typeof createLogUpdate> | undefined;
  #stage: ShownStage | undefined;
  #training: TrainingProgress | undefined;
  #drawnAt = -Infinity;
  #lastLineAt = -Infinity;
  #lastStep: number | undefined;

  readonly #now: () => number;

  /** @param o.now - a clock in milliseconds */
  constructor(stream: Screen = process.stderr, o: { now?: () => number } = {}) {
    this.#stream = stream;
    this.#now = o.now ?? (() => performance.now());
    this.#list = canRedraw(stream) ? createLogUpdate(withSize(stream), { showCursor: true }) : undefined;
  }

  /** Shows the current progress of the training. */
  show(progress: TrainingProgress): void {
    this.#training = progress;
    if (this.#list === undefined) this.#writeSometimes(progress);
    else if (this.#now() - this.#drawnAt >= redrawMs || progress.step >= progress.totalSteps) this.#draw();
  }

  /** Shows that the state of a stage has changed. */
  stage(stage: Stage, state: Exclude<StageState, 'waiting'>, detail?: string): void {
    const shown = { stage, state, detail };
    const isOpen = state === 'running' || state === 'paused';
    this.#stage = isOpen ? shown : undefined;
    if (!isOpen) this.#training = undefined;
    if (this.#list === undefined) this.#writeStage(shown);
    else if (isOpen) this.#draw();
    else this.#persist(formatStage(printableStage(shown), this.#width).join('\n'));
  }

  /** Prints separate lines. */
  line(text: string): void {
    this.#print(text);
  }

  /** Prints a sentence about the run, which a terminal gets broken at words. */
  note(text: string): void {
    const lead = 'note: ';
    this.line(lead + wrapText(text, this.#width - lead.length).join(`\n${' '.repeat(lead.length)}`));
  }

  /** Prints a warning. */
  warn(text: string): void {
    this.#print(text, `${this.#list ? pc.yellow('warning') : 'warning'}: `);
  }

  /** Removes the list; the display can be used again. */
  close(): void {
    this.#list?.clear();
    this.#stage = undefined;
    this.#training = undefined;
    this.#lastLineAt = -Infinity;
    this.#lastStep = undefined;
  }

  /** NOTE: one cell less than the terminal has, because some begin a new line after the last one. */
  get #width(): number {
    return terminalWidth(this.#stream) - 1;
  }

  #draw(): void {
    this.#drawnAt = this.#now();
    this.#list?.(this.#openStages().join('\n'));
  }

  /** The stage that runs, and those that follow it. */
  #openStages(): string[] {
    const [training, current] = [this.#training, this.#stage];
    if (current === undefined) return training === undefined ? [] : [formatTraining(training, this.#width)];
    const { stage, state } = current;
    const isTraining = stage === 'train' && training !== undefined;
    return [
      ...(isTraining
        ? [formatTrainingStage(training, this.#width, state)]
        : formatStage(printableStage(current), this.#width)),
      ...stageNames
        .slice(stageNames.indexOf(stage) + 1)
        .flatMap((name) => formatStage({ stage: name, state: 'waiting' }, this.#width)),
    ];
  }

  /** The error at the end of the command has the reason of a failure. */
  #writeStage({ stage, state, detail }: ShownStage): void {
    const reason = detail === undefined || detail === '' || state === 'failed' ? '' : `, ${detail}`;
    this.#print(state === 'running' ? `${stage} …` : `${stage}: ${state}${reason}`);
  }

  #writeSometimes(progress: TrainingProgress): void {
    const now = this.#now() / 1000;
    const isLast = progress.step >= progress.totalSteps;
    if (progress.step === this.#lastStep || (now - this.#lastLineAt < secondsBetweenLines && !isLast)) return;
    this.#lastLineAt = now;
    this.#lastStep = progress.step;
    const { loss, speed, left } = figuresOf(progress);
    const place = [`epoch ${progress.epoch + 1}`, `step ${progress.step}/${progress.totalSteps}`];
    this.#stream.write(`${[...place, loss, speed, left].filter((part) => part !== undefined).join('  ')}\n`);
  }

  /** @param lead - printed as it is, because it is this program's own */
  #print(text: string, lead = ''): void {
    const line = `${lead}${asTyped(fitReport(printable(text), terminalWidth(this.#stream)))}`;
    if (this.#list) this.#persist(line);
    else this.#stream.write(`${line}\n`);
  }

  /** Writes lines above the list. */
  #persist(lines: string): void {
    this.#list?.clear();
    this.#stream.write(`${lines}\n`);
    if (this.#stage !== undefined) this.#draw();
  }
}

const printableStage = ({ detail, ...shown }: ShownStage): ShownStage => ({
  ...shown,
  detail: detail === undefined ? undefined : asTyped(printable(detail)),
});

/** A dumb terminal, such as that of an editor, shows the characters that move the cursor. */
const canRedraw = (stream: Screen): boolean => stream.isTTY === true && process.env['TERM'] !== 'dumb';

/** The same stream with the size that the list is drawn for. */
const withSize = (stream: Screen): NodeJS.WritableStream =>
  Object.create(stream, {
    columns: { get: () => terminalWidth(stream) },
    rows: { get: () => terminalHeight(stream) },
    write: { value: (text: string) => stream.write(text) },
  }) as NodeJS.WritableStream;
