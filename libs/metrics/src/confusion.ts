import type { ClassificationReport, ClassScores, Scores } from '@nautil/contracts';

/** NeMo adds it to every denominator, so that a class nobody predicted scores 0 and not NaN. */
const epsilon = 1e-6;

/**
 * Counts of (true, predicted) pairs, and NeMo's precision, recall and F1 made from them.
 *
 * NOTE: NeMo computes in float32, where epsilon vanishes beside a count of 32 or more; its printed table depends on
 * it (3 of 32 prints 9.38, not 9.37). Every operation below is therefore rounded as torch rounds it.
 *
 * @example
 * const confusion = new Confusion(2);
 * confusion.addAll(labels, predicted);
 * console.log(formatNemoReport(confusion.report(['negative', 'positive'])));
 */
export class Confusion {
  readonly numClasses: number;

  /** Row-major, [true, predicted]. */
  readonly #counts: Float64Array;

  constructor(numClasses: number) {
    if (!Number.isInteger(numClasses) || numClasses < 1) {
      throw new RangeError(`a confusion matrix needs one class or more, not ${numClasses}`);
    }
    this.numClasses = numClasses;
    this.#counts = new Float64Array(numClasses * numClasses);
  }

  /** Counts one example. Both ids are in [0, numClasses); a RangeError says which one is not. */
  add(label: number, predicted: number): void {
    this.#check('label', label);
    this.#check('predicted label', predicted);
    this.#counts[label * this.numClasses + predicted]! += 1;
  }

  /** Counts a batch: two arrays of the same length. */
  addAll(labels: ArrayLike<number>, predicted: ArrayLike<number>): void {
    if (labels.length !== predicted.length) {
      throw new RangeError(`${labels.length} labels and ${predicted.length} predictions do not pair up`);
    }
    for (let i = 0; i < labels.length; i++) this.add(labels[i]!, predicted[i]!);
  }

  /** Adds the counts of another matrix of the same size: that of another replica, say. */
  merge(other: Confusion): void {
    if (other.numClasses !== this.numClasses) {
      throw new RangeError(`matrices of ${this.numClasses} and ${other.numClasses} classes cannot be added`);
    }
    other.#counts.forEach((count, i) => (this.#counts[i]! += count));
  }

  /**
   * NeMo's scores as fractions. Macro is the mean over the classes that have examples; scikit-learn's is over all.
   * Without a single example every score is 0.
   *
   * @param labelNames by label id; a missing one leaves its class without a name
   */
  report(labelNames?: readonly string[]): ClassificationReport {
    const truePositives = this.#perClass((label, predicted) => label === predicted, 'label');
    const supports = this.#perClass(() => true, 'label');
    const predictions = this.#perClass(() => true, 'predicted');
    const scores = supports.map((support, i) => percentages(truePositives[i]!, predictions[i]!, support));
    const support = sum(supports);
    const correct = sum(truePositives);
    const nonEmpty = supports.filter((count) => count > 0).length;

    const weightedMean = (weights: readonly number[], total: number): Scores =>
      mapScores((score) => {
        let at = 0;
        scores.forEach((of, i) => (at = Math.fround(at + Math.fround(of[score] * weights[i]!))));
        return total === 0 ? 0 : Math.fround(at / total);
      });
    const ones = supports.map(() => 1);

    return {
      classes: scores.map((of, i): ClassScores => {
        const labelName = labelNames?.[i];
        return { labelId: i, ...(labelName == null ? {} : { labelName }), ...fractions(of), support: supports[i]! };
      }),
      micro: fractions(percentages(correct, support, support)),
      macro: fractions(weightedMean(ones, nonEmpty)),
      weighted: fractions(weightedMean(supports, support)),
      accuracy: support === 0 ? 0 : correct / support,
      support,
      confusion: supports.map((_, label) => [
        ...this.#counts.subarray(label * this.numClasses, (label + 1) * this.numClasses),
      ]),
    };
  }

  #check(what: string, id: number): void {
    if (!Number.isInteger(id) || id < 0 || id >= this.numClasses) {
      throw new RangeError(`${what} ${id} is not among the ${this.numClasses} classes [0, ${this.numClasses - 1}]`);
    }
  }

  /** Sums of the chosen cells by true or by predicted label. */
  #perClass(chosen: (label: number, predicted: number) => boolean, by: 'label' | 'predicted'): number[] {
    const totals = new Array<number>(this.numClasses).fill(0);
    this.#counts.forEach((count, i) => {
      const label = Math.floor(i / this.numClasses);
      const predicted = i % this.numClasses;
      if (chosen(label, predicted)) totals[by === 'label' ? label : predicted]! += count;
    });
    return totals;
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const mapScores = (of: (score: keyof Scores) => number): Scores => ({
  precision: of('precision'),
  recall: of('recall'),
  f1: of('f1'),
});

/** Float32 percentages: what NeMo holds before it prints. */
function percentages(truePositives: number, predictions: number, support: number): Scores {
  const ratio = (count: number): number => Math.fround((truePositives * 100) / Math.fround(count + epsilon));
  const precision = ratio(predictions);
  const recall = ratio(support);
  const both = Math.fround(Math.fround(precision + recall) + epsilon);
  return { precision, recall, f1: Math.fround(Math.fround(Math.fround(2 * precision) * recall) / Math.fround(both)) };
}

const fractions = (percent: Scores): Scores => mapScores((score) => percent[score] / 100);
