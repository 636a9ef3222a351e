import type { SampleAnswer } from '@nautil/contracts';
import { softmax } from '@nautil/training';

/** The predictions for `model.infer_samples`. @param logits - one row for each text */
export function sampleAnswers(
  texts: readonly string[],
  logits: readonly (readonly number[])[],
  labelNames: readonly string[] | undefined,
): SampleAnswer[] {
  return texts.map((text, row) => {
    const scores = Array.from(softmax(Float32Array.from(logits[row] ?? [])));
    const score = Math.max(...scores);
    const labelId = scores.indexOf(score);
    return { text, labelId, label: labelNames?.[labelId] ?? String(labelId), score };
  });
}
