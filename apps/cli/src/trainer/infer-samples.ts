import { UsageError } from '@nautil/contracts';
import { pairOf } from '@nautil/datasets';
import type { ClassifierInput } from '@nautil/training';
import { printResult } from '../output.js';
import { zip } from '../zip.js';
import type { HydraArguments } from './hydra-arguments.js';
import { openModel } from './open-model.js';

/** Prints the label and its probability for each text of `model.infer_samples`, in the format of NeMo's script. */
export async function inferSamples(args: HydraArguments, o: { cwd: string }): Promise<void> {
  const { classifier, config } = await openModel(args, { ...o, batchSize: () => 16, follows: ['model.infer_samples'] });
  try {
    const texts = config.model.infer_samples ?? [];
    for (const [text, { labelId, label, scores }] of zip(
      texts,
      await classifier.predict(inputsOf(texts, classifier)),
    )) {
      const name = classifier.labels ? `${labelId} (${label})` : label;
      const percent = ((scores[labelId] ?? NaN) * 100).toFixed(2);
      await printResult(`Query : ${text}\nPredicted label: ${name}, ${percent} %`);
    }
  } finally {
    classifier.close();
  }
}

/** The texts as the model reads them; of a model of pairs, each is two texts with a tab between them. */
function inputsOf(texts: readonly string[], { pairs }: { pairs: boolean }): readonly ClassifierInput[] {
  if (!pairs) return texts;
  return texts.map((text, at) => {
    const pair = pairOf(text);
    if (pair) return pair;
    throw new UsageError(`model.infer_samples[${at}] is not a pair of texts, which the model classifies: ${text}`, {
      hint: 'write each as a text, a tab, and a second text; in a YAML file, "\\t" in double quotation marks is a tab',
    });
  });
}
