import { argmax, softmax } from './cross-entropy.js';
import { OutputNotFinite } from './errors.js';

export interface Prediction {
  labelId: number;

  /** The label's name; the id as text when there are no names. */
  label: string;

  /** Probability of every class. [numClasses] */
  scores: number[];

  /** [numClasses] */
  logits: number[];
}

/**
 * The predictions for rows of logits.
 *
 * @param labels - names by label id
 * @throws OutputNotFinite
 */
export function predictionsOf(
  logits: readonly ArrayLike<number>[],
  labels: readonly string[] | undefined,
): Prediction[] {
  return logits.map((values) => {
    const row = requireFinite(Float32Array.from(values));
    const labelId = argmax(row);
    return {
      labelId,
      label: labels?.[labelId] ?? String(labelId),
      scores: Array.from(softmax(row)),
      logits: Array.from(row),
    };
  });
}

/** @throws OutputNotFinite for logits among which no class is the most probable */
export function requireFinite(logits: Float32Array): Float32Array {
  const index = logits.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return logits;
  throw new OutputNotFinite(`the score of class ${index}`, logits[index] ?? NaN);
}
