import type { SampleAnswer } from '@nautil/contracts';
import { predictionsOf } from '@nautil/training';

/** The predictions for `model.infer_samples`. @param logits - one row for each text */
export function sampleAnswers(
  texts: readonly string[],
  logits: readonly (readonly number[])[],
  labelNames: readonly string[] | undefined,
): SampleAnswer[] {
  return predictionsOf(logits, labelNames).map(({ labelId, label, scores }, row) => ({
    text: texts[row]!,
    labelId,
    label,
    score: scores[labelId]!,
  }));
}
