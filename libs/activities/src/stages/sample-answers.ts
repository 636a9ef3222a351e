import { largest, type SampleAnswer } from '@nautil/contracts';
import { predictionsOf } from '@nautil/training';

/** The predictions for `model.infer_samples`. @param logits - one row for each text */
export function sampleAnswers(
  texts: readonly string[],
  logits: readonly (readonly number[])[],
  labelNames: readonly string[] | undefined,
): SampleAnswer[] {
  const predictions = predictionsOf(logits, labelNames);
  return texts.map((text, row) => {
    const prediction = predictions[row];
    if (prediction === undefined) throw new RangeError(`there are no logits for text ${row}`);
    const { labelId, label, scores } = prediction;
    return { text, labelId, label, score: largest(scores) };
  });
}
