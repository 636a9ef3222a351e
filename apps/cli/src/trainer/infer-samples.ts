import { printResult } from '../output.js';
import { zip } from '../zip.js';
import type { HydraArguments } from './hydra-arguments.js';
import { openModel } from './open-model.js';

/** Prints the label and its probability for each text of `model.infer_samples`, in the format of NeMo's script. */
export async function inferSamples(args: HydraArguments, o: { cwd: string }): Promise<void> {
  const { classifier, config } = await openModel(args, { ...o, batchSize: () => 16, follows: ['model.infer_samples'] });
  try {
    const texts = config.model.infer_samples ?? [];
    for (const [text, { labelId, label, scores }] of zip(texts, await classifier.predict(texts))) {
      const name = classifier.labels ? `${labelId} (${label})` : label;
      const percent = ((scores[labelId] ?? NaN) * 100).toFixed(2);
      await printResult(`Query : ${text}\nPredicted label: ${name}, ${percent} %`);
    }
  } finally {
    classifier.close();
  }
}
