import type { ClassificationReport, ClassScores, Scores } from '@nautil/contracts';

/** Reports on more classes have no matrix, because its size is the square of the number of classes. */
const maxMatrixClasses = 1000;

/** NeMo's METRIC_EPS, added to every denominator: a class that was never predicted scores 0 instead of NaN. */
const epsilon = 1e-6;

/**
 * Counts (true, predicted) pairs and computes NeMo's precision, recall and F1 from them.
 *
 * NOTE: NeMo computes in float32, where adding epsilon to a count of 32 or more changes nothing, and its printed table
 * depends on that (3 of 32 prints 9.38, not 9.37). Every operation below is therefore rounded as torch rounds it.
 *
 * @example
 * const confusion = new Confusion(2);
 * labels.forEach((label, row) => confusion.add(label, predicted[row]));
 * const { macro } = confusion.report(['negative', 'positive']);
 */
export class Confusion {
  readonly numClasses: number;

  /** Number of examples by true label and predicted label; pairs that never occurred are absent. */
  readonly #counts = new Map<number, Map<number, number>>();
  readonly #truePositives: number[];
  readonly #supports: number[];
  readonly #predictions: number[];

  constructor(numClasses: number) {
    if (!Number.isInteger(numClasses) || numClasses < 1) {
      throw new RangeError(`a confusion matrix needs at least one class, not ${numClasses}`);
    }
    this.numClasses = numClasses;
    this.#truePositives = new Array<number>(numClasses).fill(0);
    this.#supports = new Array<number>(numClasses).fill(0);
    this.#predictions = new Array<number>(numClasses).fill(0);
  }

  /** Counts one example. @throws RangeError when an id is not in [0, numClasses) */
  add(label: number, predicted: number): void {
    this.#check('label', label);
    this.#check('predicted label', predicted);
    this.#supports[label]! += 1;
    this.#predictions[predicted]! += 1;
    if (label === predicted) this.#truePositives[label]! += 1;
    const row = this.#counts.get(label) ?? new Map<number, number>();
    row.set(predicted, (row.get(predicted) ?? 0) + 1);
    this.#counts.set(label, row);
  }

  /**
   * NeMo's scores as fractions. NeMo averages macro scores over the classes that have examples, scikit-learn over all
   * classes. Without any example every score is 0.
   *
   * @param labelNames names by label id; a class without a name is reported by its id
   */
  report(labelNames?: readonly string[]): ClassificationReport {
    const truePositives = this.#truePositives;
    const supports = this.#supports;
    const predictions = this.#predictions;
    const scores = supports.map((support, i) => percentages(truePositives[i]!, predictions[i]!, support));
    const support = sum(supports);
    const correct = sum(truePositives);
    const nonEmpty = supports.filter((count) => count > 0).length;

    const weightedMean = (weights: readonly number[], total: number): Scores =>
      mapScores((score) => {
        let weighted = 0;
        scores.forEach((classScores, i) => {
          weighted = Math.fround(weighted + Math.fround(classScores[score] * weights[i]!));
        });
        return total === 0 ? 0 : Math.fround(weighted / total);
      });
    const ones = supports.map(() => 1);

    return {
      classes: scores.map((classScores, labelId): ClassScores => {
        const labelName = labelNames?.[labelId];
        return {
          labelId,
          ...(labelName === undefined ? {} : { labelName }),
          ...fractions(classScores),
          support: supports[labelId]!,
        };
      }),
      micro: fractions(percentages(correct, support, support)),
      macro: fractions(weightedMean(ones, nonEmpty)),
      weighted: fractions(weightedMean(supports, support)),
      accuracy: support === 0 ? 0 : correct / support,
      support,
      confusion: this.numClasses > maxMatrixClasses ? [] : supports.map((_, label) => this.#row(label)),
    };
  }

  #check(what: string, id: number): void {
    if (!Number.isInteger(id) || id < 0 || id >= this.numClasses) {
      throw new RangeError(`${what} ${id} is not among the ${this.numClasses} classes [0, ${this.numClasses - 1}]`);
    }
  }

  #row(label: number): number[] {
    const row = new Array<number>(this.numClasses).fill(0);
    this.#counts.get(label)?.forEach((count, predicted) => {
      row[predicted] = count;
    });
    return row;
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const mapScores = (value: (score: keyof Scores) => number): Scores => ({
  precision: value('precision'),
  recall: value('recall'),
  f1: value('f1'),
});

/** The float32 percentages that NeMo holds before it prints them. */
function percentages(truePositives: number, predictions: number, support: number): Scores {
  const ratio = (count: number): number => Math.fround((truePositives * 100) / Math.fround(count + epsilon));
  const precision = ratio(predictions);
  const recall = ratio(support);
  const both = Math.fround(Math.fround(precision + recall) + epsilon);
  return { precision, recall, f1: Math.fround(Math.fround(Math.fround(2 * precision) * recall) / Math.fround(both)) };
}

const fractions = (percent: Scores): Scores => mapScores((score) => percent[score] / 100);
