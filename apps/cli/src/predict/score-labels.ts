import { counted } from '@nautil/contracts';
import { numbersNote } from '@nautil/datasets/tables';
import { Confusion, macroNote } from '@nautil/metrics';
import type { Prediction } from '@nautil/training';
import { printMessage } from '../output.js';
import type { InputRow, InputRows } from './input-rows.js';

/** A pair of a label and a prediction, and how often it occurred. */
export type CountedPair = [labelId: number, predictedId: number, count: number];

type LabelSource = Pick<InputRows, 'labels' | 'areLabelsNamed' | 'areIds' | 'names' | 'idOf'>;

/** Compares predictions with the labels of the input, and reports accuracy and macro F1. */
export class LabelScores {
  readonly #source: LabelSource;
  readonly #numClasses: number;
  readonly #counts = new Map<number, number>();
  #unknown = 0;

  /** Whether the labels are the model's; undefined before the first row. */
  #areUsed: boolean | undefined;

  constructor(source: LabelSource, numClasses: number) {
    this.#source = source;
    this.#numClasses = numClasses;
  }

  /** The state for a later process. */
  get state(): { unknown: number; counts: CountedPair[] } {
    return {
      unknown: this.#unknown,
      counts: Array.from(this.#counts, ([key, count]) => [
        Math.floor(key / this.#numClasses),
        key % this.#numClasses,
        count,
      ]),
    };
  }

  /** Continues from the state of an earlier process. */
  restore({ unknown, counts }: LabelScores['state']): void {
    this.#unknown = unknown;
    if (unknown > 0 || counts.length > 0) this.#areUsed = true;
    for (const [label, predicted, count] of counts) this.#counts.set(label * this.#numClasses + predicted, count);
  }

  /** Adds rows. The first ones decide whether a column that no option names has the labels of the model. */
  add(rows: readonly InputRow[], predictions: readonly Prediction[]): void {
    if (this.#source.labels === undefined || this.#areUsed === false) return;
    const ids = rows.map(({ label }) => (label === undefined ? undefined : this.#source.idOf(label)));
    if (this.#areUsed === undefined) {
      const known = ids.filter((id) => id !== undefined).length;
      this.#areUsed = this.#source.areLabelsNamed || 2 * known > rows.length;
      if (!this.#areUsed) return;
      printMessage(`warning: ${this.#source.labels} has labels, which have no effect on the predictions`);
      const labels = rows.flatMap(({ label }) => label ?? []);
      const note = this.#source.areIds ? undefined : numbersNote(labels, this.#source.names);
      if (note !== undefined) printMessage(`note: ${note}`);
    }
    for (const [row, id] of ids.entries()) {
      const predicted = predictions[row]?.labelId;
      if (predicted === undefined) continue;
      if (id === undefined) this.#unknown++;
      else {
        const key = id * this.#numClasses + predicted;
        this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
      }
    }
  }

  /** Sentences on the scores; none if the input has no labels. */
  summary(): string[] {
    if (this.#counts.size === 0 && this.#unknown === 0) return [];
    const confusion = new Confusion(this.#numClasses);
    for (const [label, predicted, count] of this.state.counts)
      for (let done = 0; done < count; done++) confusion.add(label, predicted);
    const report = confusion.report();
    const others =
      this.#unknown === 0 ? [] : [`${counted(this.#unknown, 'row')} with another label or none were not counted`];
    if (report.support === 0) return others;
    const note = macroNote(report);
    return [
      `accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}, on ${counted(report.support, 'labelled row')}`,
      ...(note === undefined ? [] : [note]),
      ...others,
    ];
  }
}
