import type { Classifier } from '@nautil/training';

/** Says what the model makes of some texts, in the words of NeMo's script, with the class's probability. */
export async function answerQueries(classifier: Classifier, queries: string[]): Promise<void> {
  const answers = await classifier.predict(queries);
  for (const [i, { labelId, label, scores }] of answers.entries()) {
    process.stdout.write(`Query : ${queries[i]}\n`);
    const name = classifier.labels ? `${labelId} (${label})` : String(labelId);
    process.stdout.write(`Predicted label: ${name}, ${(scores[labelId]! * 100).toFixed(2)} %\n`);
  }
}
