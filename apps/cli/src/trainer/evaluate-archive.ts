import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config } from '@nautil/config';
import { UsageError } from '@nautil/contracts';
import { classWeights, examplesOf, labelCounts, readExamples } from '@nautil/datasets';
import { formatReport } from '@nautil/metrics';
import { buildTokenCache } from '@nautil/tokenization';
import { printMessage, printResult } from '../output.js';
import type { HydraArguments } from './hydra-arguments.js';
import { openModel } from './open-model.js';

/**
 * Prints loss, accuracy and the report of an archive (`model.nemo_path`) on a labelled file (`model.test_ds.file_path`), computed
 * as the evaluate stage of a run with this configuration computes them.
 */
export async function evaluateArchive(args: HydraArguments, o: { cwd: string }): Promise<void> {
  const { classifier, config, path } = await openModel(args, {
    cwd: o.cwd,
    batchSize: ({ model }) => model.test_ds.batch_size,
  });
  const folder = await mkdtemp(join(tmpdir(), 'nautil-evaluate-'));
  try {
    const { model, trainer, nautil } = config;
    const { file_path, num_samples: numSamples } = model.test_ds;
    if (file_path === null)
      throw new UsageError('model.test_ds.file_path is null: there is nothing to evaluate on', {
        hint: 'model.test_ds.file_path=test.tsv',
      });
    const file = resolve(o.cwd, file_path);
    const { numClasses } = classifier;
    const cache = join(folder, 'test.tokens');
    await buildTokenCache({
      examples: examplesOf(readExamples(file, { numSamples, numClasses }), ({ line, reason }) =>
        printMessage(`${file}:${line}: skipped: ${reason}`),
      ),
      out: cache,
      tokenizer: classifier.tokenizer,
      maxLength: classifier.maxTokens,
      key: 'evaluate',
    });
    const { loss, report } = await classifier.evaluate({
      cache,
      dataset: model.test_ds,
      limit: trainer.limit_test_batches,
      nautil,
      classWeights: await classWeightsOf(config, numClasses, o.cwd),
    });
    const scores = `accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}`;
    await printResult(
      `${formatReport(report)}\n\ntest loss ${loss.toFixed(4)}, ${scores}, on ${report.support} examples of ${file}\nmodel     ${path}`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
    classifier.close();
  }
}

/** The loss weights of a run with this configuration: with `weighted_loss`, from the labels of its training file. */
async function classWeightsOf({ model }: Config, numClasses: number, cwd: string): Promise<number[] | undefined> {
  const { file_path } = model.train_ds;
  if (model.dataset.class_balancing !== 'weighted_loss' || file_path === null) return undefined;
  return classWeights((await labelCounts(resolve(cwd, file_path))).counts, numClasses);
}
