/** Precision, recall and F1 as fractions in [0, 1]. */
export interface Scores {
  precision: number;
  recall: number;
  f1: number;
}

export interface ClassScores extends Scores {
  labelId: number;

  /** From the labels file, when there is one. */
  labelName?: string;

  /** Number of examples whose true label this is. */
  support: number;
}

/** A classification report; all scores are fractions, whatever a printed table shows. */
export interface ClassificationReport {
  classes: ClassScores[];
  micro: Scores;
  macro: Scores;
  weighted: Scores;

  /** Fraction of examples whose predicted label is the true one. */
  accuracy: number;

  /** Number of examples. */
  support: number;

  /** `confusion[true][predicted]`: counts, [classes, classes]; empty if there are more than 1000 classes. */
  confusion: number[][];
}
