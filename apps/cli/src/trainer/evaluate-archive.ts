import { resolve } from 'node:path';
import { type Example, UsageError } from '@nautil/contracts';
import { readExamples } from '@nautil/datasets';
import { Confusion, formatReport } from '@nautil/metrics';
import { chunksOf } from '../chunks.js';
import { printMessage, printResult } from '../output.js';
import { zip } from '../zip.js';
import type { HydraArguments } from './hydra-arguments.js';
import { openModel } from './open-model.js';

/** Prints loss, accuracy and the report of an archive (`model.nemo_path`) on a labelled file (`model.test_ds.file_path`). */
export async function evaluateArchive(args: HydraArguments, o: { cwd: string }): Promise<void> {
  const { classifier, config, path } = await openModel(args, {
    cwd: o.cwd,
    batchSize: ({ model }) => model.test_ds.batch_size,
  });
  try {
    const { file_path, num_samples: numSamples } = config.model.test_ds;
    if (file_path === null)
      throw new UsageError('model.test_ds.file_path is null: there is nothing to evaluate on', {
        hint: 'model.test_ds.file_path=test.tsv',
      });
    const file = resolve(o.cwd, file_path);
    const { numClasses } = classifier;
    const confusion = new Confusion(numClasses);
    let loss = 0;
    let count = 0;
    for await (const examples of chunksOf(wholeExamples(file, { numSamples, numClasses }))) {
      const predictions = await classifier.predict(examples.map(({ text }) => text));
      for (const [{ label }, { labelId, logits }] of zip(examples, predictions)) {
        confusion.add(label, labelId);
        loss += crossEntropy(logits, label);
      }
      count += examples.length;
    }
    const report = confusion.report(classifier.labels);
    const scores = `accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}`;
    await printResult(
      `${formatReport(report)}\n\ntest loss ${(loss / count).toFixed(4)}, ${scores}, on ${count} examples of ${file}\nmodel     ${path}`,
    );
  } finally {
    classifier.close();
  }
}

/** The examples of a labelled file; faulty lines are reported and skipped. */
async function* wholeExamples(file: string, options: Parameters<typeof readExamples>[1]): AsyncGenerator<Example> {
  for await (const line of readExamples(file, options)) {
    if ('reason' in line) printMessage(`${file}:${line.line}: skipped: ${line.reason}`);
    else yield line;
  }
}

function crossEntropy(logits: readonly number[], label: number): number {
  const max = Math.max(...logits);
  return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0)) + max - (logits[label] ?? NaN);
}
