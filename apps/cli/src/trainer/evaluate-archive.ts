import { resolve } from 'node:path';
import { UsageError, type Example } from '@nautil/contracts';
import { readExamples } from '@nautil/datasets';
import { Confusion, formatReport } from '@nautil/metrics';
import type { HydraArguments } from './hydra-arguments.js';
import { openModel } from './open-model.js';

/** Examples that are classified at a time: memory stays flat on any file. */
const chunkExamples = 512;

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
    const confusion = new Confusion(classifier.numClasses);
    let loss = 0;
    let count = 0;
    const score = async (chunk: Example[]): Promise<void> => {
      const answers = await classifier.predict(chunk.map(({ text }) => text));
      for (const [i, { labelId, logits }] of answers.entries()) {
        confusion.add(chunk[i]!.label, labelId);
        loss += crossEntropy(logits, chunk[i]!.label);
        count += 1;
      }
    };
    let chunk: Example[] = [];
    for await (const line of readExamples(file, { numSamples, numClasses: classifier.numClasses })) {
      if ('reason' in line) process.stderr.write(`${file}:${line.line}: skipped: ${line.reason}\n`);
      else if (chunk.push(line) === chunkExamples) {
        await score(chunk);
        chunk = [];
      }
    }
    if (chunk.length > 0) await score(chunk);
    const report = confusion.report(classifier.labels);
    process.stdout.write(`${formatReport(report)}\n\n`);
    process.stdout.write(
      `test loss ${(loss / count).toFixed(4)}, accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}, on ${count} examples of ${file}\nmodel     ${path}\n`,
    );
  } finally {
    classifier.close();
  }
}

function crossEntropy(logits: readonly number[], label: number): number {
  const max = Math.max(...logits);
  return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0)) + max - logits[label]!;
}
