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

/** A reason why the model of a run may be useless, or worse than necessary. */
export interface Finding {
  /** Stable, for programs: `chance-loss`, `one-class`, … */
  code: string;

  /** One sentence without a full stop. */
  sentence: string;

  /** An override that remedies it, as it is typed after `nautil run`. */
  remedy: string;
}

/** A finding as one line. */
export const findingLine = ({ sentence, remedy }: Pick<Finding, 'sentence' | 'remedy'>): string =>
  `${sentence}: try ${remedy}`;
