/** A label that is probably wrong. */
interface SuspectLabel {
  /** The number of the example, from 0. */
  row: number;
  label: number;

  /** The class that is more probably right. */
  other: number;

  /** Probabilities of the two classes. */
  labelScore: number;
  otherScore: number;
}

interface SuspectLabels {
  /** The most doubtful first: in descending order of the difference of the two probabilities. */
  suspects: SuspectLabel[];

  /** The mean probability of each class on the examples with its label; NaN for a class without examples. [numClasses] */
  meanScores: number[];
}

/**
 * Finds labels with which a model confidently disagrees, by confident learning: an example is counted for the most probable of
 * the classes whose probability reaches their own mean on the examples with their label. Where that is not the example's label,
 * the label is suspected. The means make up for a model that is less sure of some classes than of others. Probabilities of a model
 * that has not seen the examples are assumed: one that was trained on them repeats some of their wrong labels.
 *
 * Source: Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70 (2021): the thresholds
 * of equation 2, the off-diagonal of the confident joint (equation 1), ranked by normalized margin.
 *
 * @param o.labels - label ids, [rows]
 * @param o.probabilities - of each class, [rows][numClasses]
 */
export function suspectLabels(o: {
  labels: ArrayLike<number>;
  probabilities: ArrayLike<ArrayLike<number>>;
  numClasses: number;
}): SuspectLabels {
  const { labels, probabilities, numClasses } = o;
  const sums = new Float64Array(numClasses);
  const counts = new Float64Array(numClasses);
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!;
    sums[label]! += probabilities[row]![label]!;
    counts[label]! += 1;
  }
  const meanScores = Array.from(sums, (sum, id) => sum / counts[id]!);
  const suspects: SuspectLabel[] = [];
  for (let row = 0; row < labels.length; row++) {
    const [label, scores] = [labels[row]!, probabilities[row]!];
    const other = confidentClass(scores, meanScores);
    if (other === undefined || other === label) continue;
    suspects.push({ row, label, other, labelScore: scores[label]!, otherScore: scores[other]! });
  }
  const margin = ({ labelScore, otherScore }: SuspectLabel): number => otherScore - labelScore;
  return { suspects: suspects.sort((a, b) => margin(b) - margin(a) || a.row - b.row), meanScores };
}

/** The most probable of the classes that reach their threshold; undefined if none does. A NaN is never reached. */
function confidentClass(scores: ArrayLike<number>, thresholds: readonly number[]): number | undefined {
  let best: number | undefined;
  for (const [id, threshold] of thresholds.entries())
    if (scores[id]! >= threshold && (best === undefined || scores[id]! > scores[best]!)) best = id;
  return best;
}
