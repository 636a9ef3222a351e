import { argmax, softmax } from './cross-entropy.js';

export interface Prediction {
  labelId: number;

  /** The label's name; the id as text when there are no names. */
  label: string;

  /** Probability of every class. [numClasses] */
  scores: number[];

  /** [numClasses] */
  logits: number[];
}

/** The predictions for rows of logits. @param labels - names by label id */
export function predictionsOf(
  logits: readonly ArrayLike<number>[],
  labels: readonly string[] | undefined,
): Prediction[] {
  return logits.map((values) => {
    const row = Float32Array.from(values);
    const labelId = argmax(row);
    return {
      labelId,
      label: labels?.[labelId] ?? String(labelId),
      scores: Array.from(softmax(row)),
      logits: Array.from(row),
    };
  });
}
